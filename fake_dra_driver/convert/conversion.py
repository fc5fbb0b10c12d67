"""All files at once: what becomes of each object in them, and the text that says it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.convert.claims import convert_claim, convert_template
from fake_dra_driver.convert.classes import convert_class
from fake_dra_driver.convert.known import Known, is_of, key_of, parameters_of
from fake_dra_driver.convert.outcome import CannotConvertError, Manifest, NotOursError, Outcome
from fake_dra_driver.convert.output import Output
from fake_dra_driver.convert.pods import convert_pods, makes_pods, names_claims_by_source
from fake_dra_driver.convert.rewrite import REMOVED, Path, Removed, rewrite
from fake_dra_driver.convert.stream import Document, DocumentError, documents
from fake_dra_driver.convert.style import Style
from fake_dra_driver.untrustedtext import one_line

__all__ = ["Conversion", "Message", "Source", "convert"]

CLASSIC: Final = ResourceClaim.resource.api_version
_NOT_READ: Final = "resource.k8s.io/v1alpha3"
"""Between classic and structured DRA, with a part of each."""
_KINDS_NOT_READ: Final = frozenset({"DeviceClass", "PodSchedulingContext", "ResourceClaim", "ResourceClaimTemplate"})
"""Later releases have other kinds in that version, such as DeviceTaintRule, which stay as they are."""
_REMARK_WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Source:
    """A file of manifests."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """What there is to say about a document."""

    file: str
    line: int
    document: int
    text: str
    is_error: bool = False

    def __str__(self) -> str:
        sort = "error" if self.is_error else "note"
        return f"{self.file}:{self.line}: {sort}: document {self.document}: {self.text}"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of the files."""

    text: str
    messages: Sequence[Message]
    """In the order of the documents."""

    @property
    def failed(self) -> bool:
        """Whether something could not be converted, and stays as it was."""
        return any(message.is_error for message in self.messages)


def convert(sources: Sequence[Source], api: ResourceApi) -> Conversion:
    """Converts manifests of classic DRA to structured DRA; all others stay as they are.

    Args:
        sources: the files.
        api: the version of ``resource.k8s.io`` to convert to.
    """
    files = [[_Document(source, document, []) for document in documents(source.text)] for source in sources]
    objects = [each for file in files for document in file for each in document.objects()]
    known = Known.of(each.manifest for each in objects)
    for each in objects:
        each.convert(known, api)
    _remove_parameters(objects)
    output = Output()
    for source, file in zip(sources, files, strict=True):
        style = Style.of(source.text)
        for document in file:
            document.write(output, style)
        output.end_file()
    return Conversion(output.text, [message for file in files for document in file for message in document.messages])


@dataclass(slots=True)
class _Document:
    """A document of a file, and what becomes of it."""

    source: Source
    document: Document
    messages: list[Message]
    value: Any = None
    _objects: "list[_Object]" = field(default_factory=list)

    def objects(self) -> "Sequence[_Object]":
        """The objects in it: one, those of a ``kind: List``, or none."""
        try:
            self.value = self.document.value()
        except DocumentError as error:
            self.say(str(error), is_error=True, line=self.document.line + error.line)
            return ()
        if not isinstance(self.value, dict):
            return ()
        items = self.value.get("items")
        if (self.value.get("apiVersion"), self.value.get("kind")) == ("v1", "List") and isinstance(items, list):
            found = [
                _Object(self, ("items", place), item) for place, item in enumerate(items) if isinstance(item, dict)
            ]
        else:
            found = [_Object(self, (), self.value)]
        self._objects = found
        return found

    def say(self, text: str, *, is_error: bool = False, line: int | None = None) -> None:
        """Has a message printed."""
        line = self.document.object_line if line is None else line
        self.messages.append(Message(self.source.name, line, self.document.number, text, is_error))

    def write(self, output: Output, style: Style) -> None:
        """Adds its text, changed or not."""
        value: Any = self.value
        for each in self._objects:
            value = each.changed_in(value)
        if value is self.value:
            output.add(self.document)
        elif value is REMOVED:
            output.remove(self.document, style)
        else:
            output.add(self.document, self._rewritten(value, style))

    def _rewritten(self, value: Any, style: Style) -> str:
        remarks = {each.path: each.remarks for each in self._objects if each.remarks}
        rewritten = rewrite(self.document, self.value, value, remarks, style)
        if rewritten.is_written_again:
            self.say(
                "it has anchors, or other forms in which no value can be changed alone: its comments are above it now"
            )
        return rewritten.text


@dataclass(slots=True)
class _Object:
    """An object of a document, and what becomes of it."""

    document: _Document
    path: Path
    manifest: Manifest
    changed: Manifest | Removed | None = None
    """None when it stays as it is."""
    remarks: Sequence[str] = ()
    """Lines of comment to stand above it."""
    uses: NamespacedName | None = None

    def convert(self, known: Known, api: ResourceApi) -> None:
        """Finds out what becomes of it, but for parameters: that depends on who uses them."""
        try:
            outcome = self._outcome(known, api)
        except CannotConvertError as error:
            self.say(f"stays as it is: {error}", is_error=True)
        except NotOursError as error:
            self.say(f"stays as it is: {error}")
        else:
            if outcome is not None:
                self.changed, self.uses = outcome.manifest, outcome.uses
                # To YAML, U+2028 in the name of a field ends a comment: what follows would be a part of the object.
                remarks = [one_line(remark) for remark in outcome.remarks]
                self.remarks = [line for remark in remarks for line in textwrap.wrap(remark, _REMARK_WIDTH)]
                for remark in remarks:
                    self.say(remark)

    def _outcome(self, known: Known, api: ResourceApi) -> Outcome | None:
        manifest = self.manifest
        if makes_pods(manifest):
            converted = convert_pods(manifest)
            return None if converted is manifest else Outcome(converted)
        if manifest.get("apiVersion") == _NOT_READ and manifest.get("kind") in _KINDS_NOT_READ:
            raise CannotConvertError(f"{_NOT_READ} is that of Kubernetes 1.31, and only {CLASSIC} is converted")
        if manifest.get("apiVersion") != CLASSIC:
            if names_claims_by_source(manifest):
                self.say("stays as it is: it has pods whose resourceClaims have a source, which you have to change")
            return None
        match manifest.get("kind"):
            case ResourceClaim.resource.kind:
                return convert_claim(manifest, known, api)
            case "ResourceClaimTemplate":
                return convert_template(manifest, known, api)
            case ResourceClass.resource.kind:
                return convert_class(manifest, known, api)
            case PodSchedulingContext.resource.kind:
                self.say("is left out: it has no counterpart")
                return Outcome(REMOVED)
        raise NotOursError(f"it has no counterpart, and Kubernetes has no {CLASSIC} since 1.31")

    def changed_in(self, value: Any) -> Any:
        """The document's value with what becomes of this object."""
        if self.changed is None:
            return value
        if not self.path:
            return self.changed
        field_name, place = self.path
        items = list(value[field_name])
        items[int(place)] = self.changed
        return {**value, field_name: items}

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Has a message printed that begins with the object's kind and name."""
        metadata = self.manifest.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        name = "/".join(str(metadata[part]) for part in ("namespace", "name") if metadata.get(part))
        self.document.say(f"{self.manifest.get('kind')} {name or 'without a name'}: {text}", is_error=is_error)


def _remove_parameters(objects: Sequence[_Object]) -> None:
    """Leaves out the parameters whose values all their users have now."""
    used = {each.uses for each in objects if each.changed is not None}
    still_used = {parameters_of(each.manifest) for each in objects if each.changed is None}
    for each in _parameters(objects):
        key = key_of(each.manifest, namespaced=is_of(each.manifest, FakeClaimParameters.resource))
        if key not in used | still_used:
            each.say("stays as it is: no claim or class in the files names it")
        elif key in still_used:
            each.say("stays as it is, like a claim or class that names it")
        else:
            each.changed = REMOVED
            each.say("is left out: what named it has its values now")


def _parameters(objects: Sequence[_Object]) -> Iterator[_Object]:
    for each in objects:
        if is_of(each.manifest, FakeClaimParameters.resource) or is_of(each.manifest, DeviceClassParameters.resource):
            yield each
