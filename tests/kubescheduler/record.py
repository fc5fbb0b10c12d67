"""What kube-scheduler did with the first examples, in a file: the truth for where there is no kube-scheduler.

    KUBEBUILDER_ASSETS=... python -m tests.kubescheduler.record

writes it again, which is to be done whenever the generator makes other examples.
"""

import asyncio
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.bench.api import Api
from tests.kubescheduler.cluster import ClusterUnderTest
from tests.kubescheduler.example import Example, Outcome, Run
from tests.kubescheduler.generated import examples
from tests.support.apiserver import ASSETS_VARIABLE, ApiServer

__all__ = ["RECORDED", "read"]

RECORDED: Final = range(200)
"""The seeds of the examples."""
_FILE: Final = Path(__file__).parent / "recorded.jsonl"
_BATCH: Final = 50


def read() -> Iterator[tuple[Example, Run]]:
    """The examples, and what became of them. Raises ValueError when they are not those of the file any more."""
    with _FILE.open() as lines:
        for example, line in zip(examples(RECORDED), lines, strict=True):
            record = json.loads(line)
            if record["example"] != _digest(example):
                raise ValueError(f"The generator makes other examples now: run python -m {__name__} again")
            yield example, Run([Outcome(**each) for each in record["outcomes"]])


def _digest(example: Example) -> str:
    return hashlib.sha256(example.to_json().encode()).hexdigest()[:16]


def _line(example: Example, run: Run) -> str:
    if run.invalid:
        raise ValueError(f"{run.invalid}: {example.to_json()}")
    outcomes = [{key: value for key, value in asdict(each).items() if value} for each in run.outcomes]
    return json.dumps({"example": _digest(example), "outcomes": outcomes}, ensure_ascii=False) + "\n"


async def _run(server: ApiServer, chosen: Sequence[Example]) -> Sequence[Run]:
    runs: list[Run] = []
    async with Api.connect(server.kubeconfig) as api, ClusterUnderTest.open(api) as cluster:
        for begin in range(0, len(chosen), _BATCH):
            runs += await cluster.run(chosen[begin : begin + _BATCH])
            sys.stdout.write(f"{len(runs)} of {len(chosen)}\n")
    return runs


def _main() -> None:
    chosen = list(examples(RECORDED))
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        server = ApiServer(Path(os.environ[ASSETS_VARIABLE]), Path(folder))
        try:
            server.start()
            with server.scheduler():
                runs = asyncio.run(_run(server, chosen))
        finally:
            server.stop()
    _FILE.write_text("".join(map(_line, chosen, runs)))


if __name__ == "__main__":
    _main()
