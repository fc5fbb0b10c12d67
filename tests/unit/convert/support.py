"""Converting texts, as the tests of this folder do it."""

from typing import Any

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.convert.conversion import Conversion, Source, convert
from fake_dra_driver.convert.stream import documents

__all__ = ["CLASSIC", "OURS", "converted", "values"]

CLASSIC = "resource.k8s.io/v1alpha2"
OURS = "fake.resource.3-shake.com"


def converted(*texts: str, version: str = "v1") -> Conversion:
    """What becomes of these texts, each of which is a file: a.yaml, b.yaml and so on."""
    sources = [Source(f"{chr(ord('a') + place)}.yaml", text) for place, text in enumerate(texts)]
    return convert(sources, RESOURCE_APIS[version])


def values(text: str) -> list[Any]:
    """What the documents of a text say."""
    return [document.value() for document in documents(text)]
