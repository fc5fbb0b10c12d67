"""What a fleet's publisher writes on each of its slices, to know it again without reading it.

An API server raises ``metadata.generation`` at each change of a slice's spec. So a slice whose generation is the one
that the mark foretold says what was written, and the digest in the mark says what that was: metadata alone, a few
hundred bytes of the 80 KB that a slice can have, tell whether anything has to be done.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from typing_extensions import override

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.dra.structured.slices import MAX_GENERATION

__all__ = ["Mark"]

_FORM: Final = re.compile(r"(\d{1,19})\.(\d{1,19})\.([A-Za-z0-9_-]+)(\.partial)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a slice said when its publisher last wrote it."""

    pool_generation: int
    metadata_generation: int
    """That the slice has since then, unless another writer has changed it."""
    digest: str
    """Of what was sent (``EncodedSlice.digest``)."""
    is_partial: bool = False
    """Whether the API server was known to drop fields of it."""

    @override
    def __str__(self) -> str:
        """As the text of an annotation."""
        partial = ".partial" if self.is_partial else ""
        return f"{self.pool_generation}.{self.metadata_generation}.{self.digest}{partial}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The mark that an annotation has; None where it says nothing that was written here."""
        found = _FORM.fullmatch(text)
        if found is None or not 0 < int(found[1]) <= MAX_GENERATION:
            return None
        return cls(int(found[1]), int(found[2]), found[3], is_partial=found[4] is not None)

    def fits(self, metadata: ObjectMeta) -> bool:
        """Whether a slice says what it said when it got this mark."""
        return self.metadata_generation == metadata.generation and not metadata.deletion_timestamp
