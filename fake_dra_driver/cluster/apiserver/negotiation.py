"""The Accept header: in which form an answer is wanted.

Follows k8s.io/apiserver/pkg/endpoints/handlers/negotiation. Protobuf is not written: clients take other forms as well.
"""

from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.errors import not_acceptable

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
        """The first form of an Accept header that is spoken here. Raises StatusError (406)."""
        for part in header.split(",") if header.strip() else ["*/*"]:
            media, *parameters = (each.strip() for each in part.split(";"))
            values = dict(each.split("=", 1) for each in parameters if "=" in each)
            if media not in ("application/json", "application/yaml", "application/*", "*/*"):
                continue
            form = values.get("as", "")
            if form and (form not in _FORMS or values.get("g") != "meta.k8s.io" or values.get("v") != "v1"):
                continue
            return cls(form, media == "application/yaml")
        raise not_acceptable(_SPOKEN)
