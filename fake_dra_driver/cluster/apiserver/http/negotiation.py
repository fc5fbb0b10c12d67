"""The Accept header: the form in which an answer is wanted.

Follows k8s.io/apiserver/pkg/endpoints/handlers/negotiation. Protobuf is not written: clients accept other forms as
well.
"""

from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.errors import StatusError, not_acceptable

__all__ = ["Accept"]

_SPOKEN = (
    "application/json",
    "application/yaml",
    "application/json;stream=watch",
)
_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Accept:
    """The form of an answer."""

    form: str = ""
    """Empty, Table, PartialObjectMetadata or PartialObjectMetadataList."""
    is_yaml: bool = False

    @classmethod
    def parse(cls, header: str) -> "Accept":
        """The form that an Accept header prefers among those supported here. Raises StatusError (406)."""
        clauses = [_clause(part) for part in header.split(",")] if header.strip() else [("*/*", {})]
        for media, parameters in sorted(clauses, key=lambda clause: -_quality(clause[1])):
            if media not in ("application/json", "application/yaml", "*/*"):
                continue
            form = parameters.get("as", "")
            if form and (form not in _FORMS or parameters.get("g") != "meta.k8s.io" or parameters.get("v") != "v1"):
                continue
            return cls(form, media == "application/yaml")
        raise not_acceptable(_SPOKEN)

    def check(self, kind: str, *, is_list: bool) -> None:
        """Checks that the form fits: metadata of a list and of an object are two forms. Raises StatusError (406)."""
        if not self.form.startswith("Partial") or self.form.endswith("List") is is_list:
            return
        found = "a list" if is_list else "not a list"
        raise StatusError(
            406, "NotAcceptable", f"you requested {self.form}, but the requested object is {found} ({kind})"
        )


def _clause(text: str) -> tuple[str, dict[str, str]]:
    media, *parameters = (each.strip() for each in text.split(";"))
    return media, dict(each.split("=", 1) for each in parameters if "=" in each)


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", 1))
    except ValueError:
        return 1.0
