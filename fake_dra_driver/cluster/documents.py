"""Manifests: objects of Kubernetes in YAML, read from files and texts.

What the API server checks is not checked here. An error names the file and the document.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fake_dra_driver.cluster.errors import ClusterError

__all__ = ["Document", "DocumentError", "read_documents"]

Source = Path | str | Mapping[str, Any]
"""A file, the text of one, or an object."""


class DocumentError(ClusterError):
    """A text is not YAML, or a document in it is not a Kubernetes object."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object."""

    manifest: Mapping[str, Any]
    origin: str
    """For messages: which document of which file."""

    @property
    def api_version(self) -> str:
        """Group and version of its kind."""
        return str(self.manifest["apiVersion"])

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace in its metadata; empty when there is none."""
        return str(self.manifest["metadata"].get("namespace") or "")


def read_documents(*sources: Source) -> Sequence[Document]:
    """The objects in these sources, in their order. Blocks while it reads files.

    Raises:
        DocumentError: with the file, the document, and what is wrong.
        OSError: a file cannot be read.
    """
    return [document for source in sources for document in _documents(source)]


def _documents(source: Source) -> Iterator[Document]:
    if isinstance(source, Mapping):
        yield _document(source, "the object")
        return
    name = str(source) if isinstance(source, Path) else "the text"
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    try:
        found = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise DocumentError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    for number, manifest in enumerate(found, 1):
        if manifest is not None:
            yield _document(manifest, f"document {number} of {name}")


def _document(manifest: Any, origin: str) -> Document:
    if not isinstance(manifest, Mapping):
        raise DocumentError(f"{origin} is not a Kubernetes object, but {manifest!r:.60}")
    metadata = manifest.get("metadata")
    named = isinstance(metadata, Mapping) and metadata.get("name")
    missing = [field for field in ("apiVersion", "kind") if not manifest.get(field)]
    missing += [] if named else ["metadata.name"]
    if missing:
        raise DocumentError(f"{origin} is not a Kubernetes object: {' and '.join(missing)} must be set")
    return Document(manifest, origin)
