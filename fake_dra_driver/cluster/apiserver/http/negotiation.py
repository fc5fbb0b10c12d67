"""The Accept header: the form in which an answer is wanted.

Follows k8s.io/apiserver/pkg/endpoints/handlers/negotiation, but for protobuf, which is written where a client takes
nothing else: JSON is what there is, and takes no time.
"""

from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.errors import StatusError, not_acceptable
from fake_dra_driver.cluster.apiserver.message import JSON, PROTOBUF, YAML

__all__ = ["Accept"]

_SPOKEN = (JSON, YAML, PROTOBUF, f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Accept:
    """The form of an answer."""

    form: str = ""
    """Empty, Table, PartialObjectMetadata or PartialObjectMetadataList."""
    media: str = JSON

    @classmethod
    def parse(cls, header: str) -> "Accept":
        """The form that an Accept header prefers among those supported here. Raises StatusError (406)."""
        clauses = [_clause(part) for part in header.split(",")] if header.strip() else [("*/*", {})]
        ordered = sorted(clauses, key=lambda clause: (clause[0] == PROTOBUF, -_quality(clause[1])))
        for media, parameters in ordered:
            if media not in (JSON, YAML, PROTOBUF, "*/*"):
                continue
            form = parameters.get("as", "")
            if form and (form not in _FORMS or parameters.get("g") != "meta.k8s.io" or parameters.get("v") != "v1"):
                continue
            if form == "Table" and media == PROTOBUF:
                continue
            return cls(form, JSON if media == "*/*" else media)
        raise not_acceptable(_SPOKEN)

    @staticmethod
    def is_protobuf_alone(header: str) -> bool:
        """Whether an Accept header names protobuf, and nothing else that is supported here."""
        return PROTOBUF in header and not any(media in header for media in (JSON, YAML, "*/*"))

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
