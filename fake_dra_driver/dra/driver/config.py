"""What claims may say about the devices of a driver: a pydantic model of the driver's author.

The same fields are the ``spec`` of a custom resource in classic DRA, which claims name as their parameters, and of the
opaque configuration of claims and classes in structured DRA. The kind has the name of the class, the group that of the
driver.
"""

from typing import Any, Final

from loguru import logger
from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

from fake_dra_driver.api.schema import SchemaModel
from fake_dra_driver.untrustedtext import one_line

__all__ = ["DeviceConfig", "NoConfig"]

log = logger.bind(component="driver")

MAX_SHOWN: Final = 200
"""Characters of what a validator has raised, in a message."""


class DeviceConfig(SchemaModel):
    """Base of such a model. Each field has a default: a claim need not say anything. Docstrings of fields are help."""

    @classmethod
    @override
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Objects of any user are checked in the middle of informers and reconcilers, which a defect of the author's
        # code would end. Around all of it: a validator of this class would be within those of a subclass.
        def check(value: object, validate: core_schema.ValidatorFunctionWrapHandler) -> object:
            try:
                checked = validate(value)
            except (ValidationError, RecursionError):
                raise
            except (Exception, SystemExit) as error:
                raise _refusal(cls, "checked", error) from error
            try:
                # What is taken is going to be written, into records and objects of nodes.
                if isinstance(checked, DeviceConfig):
                    checked.model_dump_json()
            except Exception as error:
                raise _refusal(cls, "written as JSON", error) from error
            return checked

        return core_schema.no_info_wrap_validator_function(check, handler(source))


class NoConfig(DeviceConfig):
    """For devices that cannot be configured."""


def _refusal(model: type[DeviceConfig], done: str, error: BaseException) -> ValueError:
    """What the author's code has raised, for the one whose object was to be checked; the log has the traceback."""
    log.opt(exception=error).error("Model of a driver's config has a defect", config=model.__name__)
    said = one_line(f"{type(error).__name__}: {error}".removesuffix(": "), MAX_SHOWN)
    # The first frame is that of the check, the next one the author's, unless a function without frames has raised.
    author = error.__traceback__.tb_next if error.__traceback__ is not None else None
    name = f"{author.tb_frame.f_code.co_qualname} raised " if author is not None else ""
    return ValueError(f"{model.__name__} cannot be {done}: {name}{said}")
