"""What the API server's audit log says about the requests of one client.

The policy of ``cluster`` writes one event a request, when it is answered, at level Metadata.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["AuditedRequest", "Traffic", "read_audit_log"]

_READS = ("get", "list", "watch")
_CONFLICT_CODES = (409, 422)
"""A conflict, and a JSON patch whose ``test`` does not hold; the driver is never told 422 for anything else."""


@dataclass(frozen=True, slots=True)
class AuditedRequest:
    """One request that was answered."""

    agent: str
    """The product of its User-Agent header, without version."""
    verb: str
    resource: str
    """Plural, with the subresource after a slash."""
    name: str
    code: int
    received: datetime
    answered: datetime

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "AuditedRequest":
        """Reads an event of audit.k8s.io/v1."""
        about = raw.get("objectRef") or {}
        resource = "/".join(filter(None, (about.get("resource", ""), about.get("subresource", ""))))
        return cls(
            agent=(raw.get("userAgent") or "").partition("/")[0],
            verb=raw["verb"],
            resource=resource,
            name=about.get("name", ""),
            code=(raw.get("responseStatus") or {}).get("code", 0),
            received=datetime.fromisoformat(raw["requestReceivedTimestamp"]),
            answered=datetime.fromisoformat(raw["stageTimestamp"]),
        )

    @property
    def is_write(self) -> bool:
        """Whether it would have changed something."""
        return self.verb not in _READS

    @property
    def is_lost(self) -> bool:
        """Whether it is a write that failed because another writer was faster."""
        return self.is_write and self.code in _CONFLICT_CODES


def read_audit_log(folder: Path, since: datetime) -> Iterator[AuditedRequest]:
    """The requests that came since then, by the log and those it was rotated into. Blocks."""
    for path in sorted(folder.glob("audit*.log")):
        with path.open() as lines:
            for line in lines:
                request = AuditedRequest.of(json.loads(line))
                if request.received >= since:
                    yield request


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests of one client, added up."""

    total: int
    reads: int
    writes: int
    lost: int
    by_kind: dict[str, int]
    """By verb and resource; lost writes apart, with their code."""

    @classmethod
    def of(cls, requests: Iterable[AuditedRequest], agent: str) -> "Traffic":
        """Adds up the requests of one user agent."""
        own: Sequence[AuditedRequest] = [request for request in requests if request.agent == agent]
        counted = Counter(
            f"{request.verb} {request.resource}" + (f" {request.code}" if request.is_lost else "") for request in own
        )
        return cls(
            total=len(own),
            reads=sum(not request.is_write for request in own),
            writes=sum(request.is_write for request in own),
            lost=sum(request.is_lost for request in own),
            by_kind=dict(counted.most_common()),
        )
