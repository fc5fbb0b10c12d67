"""Reports for programs: a model as JSON or YAML, with every text as it is, spelled so that a person may look at it.

Characters that a terminal would obey, or that show nothing, are written with the escapes that JSON and YAML have.
"""

from typing import Any

import yaml
from pydantic import BaseModel
from typing_extensions import override

from fake_dra_driver.untrustedtext import escape, json_escape
from fake_dra_driver.yamldumper import GoSafeDumper

__all__ = ["json_text", "yaml_text"]


def json_text(model: BaseModel, *, is_stream: bool = False) -> str:
    """The model as JSON, which ends with a newline; in a stream it is one line."""
    return json_escape(model.model_dump_json(by_alias=True, indent=None if is_stream else 2)) + "\n"


def yaml_text(model: BaseModel, *, is_stream: bool = False) -> str:
    """The model as YAML; in a stream a separator comes before it."""
    document = model.model_dump(mode="json", by_alias=True)
    return ("---\n" if is_stream else "") + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=200)


class _Dumper(GoSafeDumper):
    """Leaves letters beyond ASCII as they are in texts that are harmless, and escapes them in all others."""

    @override
    def analyze_scalar(self, scalar: str) -> Any:
        self.allow_unicode = escape(scalar) == scalar
        return super().analyze_scalar(scalar)
