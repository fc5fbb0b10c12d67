"""What claims may say about the devices of a driver: a pydantic model of the driver's author.

The same fields are the ``spec`` of a custom resource in classic DRA, which claims name as their parameters, and of the
opaque configuration of claims and classes in structured DRA. The kind has the name of the class, the group that of the
driver.

Models hold code of the author's: validators and serializers. They run in the middle of informers and reconcilers, on
objects of any user, so whatever they raise is a refusal of what was checked (``CheckedModel``).
"""

from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar, Final, Self, TypeVar

from loguru import logger
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import override

from fake_dra_driver.api.schema import SchemaModel
from fake_dra_driver.untrustedtext import one_line

__all__ = ["CheckedModel", "DeviceConfig", "NoConfig"]

log = logger.bind(component="driver")

ModelT = TypeVar("ModelT", bound="CheckedModel")

MAX_SHOWN: Final = 200
"""Characters of what an author's code has raised, in a message."""


class CheckedModel(BaseModel):
    """A model with an author's code in it: what that raises is a ValidationError of ``model_validate`` and its like.

    Not by a validator around the author's: within one, pydantic takes the lists of strict JSON for those of Python.
    """

    authored: ClassVar[str] = ""
    """The field that holds the author's model; empty: this is it."""

    @classmethod
    @override
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        return _checked(cls, lambda: super(CheckedModel, cls).model_validate(obj, **options))

    @classmethod
    @override
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        return _checked(cls, lambda: super(CheckedModel, cls).model_validate_json(json_data, **options))


class DeviceConfig(CheckedModel, SchemaModel):
    """Base of such a model. Each field has a default: a claim need not say anything. Docstrings of fields are help.

    Validators have to take what they return: what a claim says is written down, and read again.
    """

    # A default that the field's own bounds refuse is found when the program starts, and not in a container.
    model_config = ConfigDict(validate_default=True)


class NoConfig(DeviceConfig):
    """For devices that cannot be configured."""


def _checked(model: type[ModelT], validate: Callable[[], ModelT]) -> ModelT:
    try:
        checked = validate()
    except (ValidationError, RecursionError):
        raise
    except (Exception, SystemExit) as error:
        raise _refusal(model, "checked", error) from error
    authored = getattr(checked, model.authored) if model.authored else checked
    try:
        # What is taken is going to be written, into records and objects of nodes.
        authored.model_dump_json()
    except Exception as error:
        raise _refusal(model, "written as JSON", error) from error
    return checked


def _refusal(model: type[CheckedModel], done: str, error: BaseException) -> ValidationError:
    """What the author's code has raised, for the one whose object was checked; the log has the traceback."""
    log.opt(exception=error).error("Model of a driver's config has a defect", model=model.__name__)
    said = one_line(f"{_raiser(error)}{type(error).__name__}: {error}".removesuffix(": "), MAX_SHOWN)
    problem = PydanticCustomError("defect", "cannot be {done}: {said}", {"done": done, "said": said})
    place = (model.authored,) if model.authored else ()
    return ValidationError.from_exception_data(model.__name__, [{"type": problem, "loc": place, "input": None}])


def _raiser(error: BaseException) -> str:
    """The author's function that was called; nothing where it has no frame, such as one in C."""
    trace = error.__traceback__
    while trace is not None:
        if not _is_on_the_way(trace.tb_frame):
            return f"{trace.tb_frame.f_code.co_qualname} raised "
        trace = trace.tb_next
    return ""


def _is_on_the_way(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] == "pydantic" or frame.f_globals is globals()
