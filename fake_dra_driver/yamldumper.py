"""YAML that Go reads as it was meant: what Kubernetes' programs would take for a number or a boolean is in quotes.

The YAML library knows YAML 1.1, in which ``8e10`` is a text. sigs.k8s.io/yaml, with which kubectl and the API server
read, takes it for a number, and ``y`` for true (``resolve`` in goyaml.v2).
"""

import re
from typing import Any, Final

import yaml

__all__ = ["GoSafeDumper", "dump_yaml", "quote_for_go", "reads_as_text"]

_EXPONENT: Final = r"[eE][-+]?[0-9_]+"
_NUMBER: Final = re.compile(
    rf"[-+]?(?:(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:{_EXPONENT})?|0_*(?:[xX][0-9a-fA-F_]+|[bB][01_]+|[oO][0-7_]+))$"
)
_BOOLEAN: Final = re.compile(r"[yYnN]$")


class GoSafeDumper(yaml.SafeDumper):
    """Quotes what either reader would take for something else than a text."""


def quote_for_go(dumper: Any) -> None:
    """Has a class of dumpers quote as ``GoSafeDumper`` does."""
    dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
    dumper.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("yYnN"))


quote_for_go(GoSafeDumper)


def reads_as_text(plain: str) -> bool:
    """Whether Go takes this, without quotes, for a text, as far as it differs from the YAML library."""
    return _NUMBER.match(plain) is None and _BOOLEAN.match(plain) is None


def dump_yaml(value: Any, **style: Any) -> str:
    """The value as YAML, with its keys in their order.

    Args:
        value: of lists, mappings and scalars.
        style: arguments of the YAML library's ``dump``.
    """
    text: str = yaml.dump(value, Dumper=GoSafeDumper, sort_keys=False, **style)
    return text
