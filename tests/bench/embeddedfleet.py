"""How long a large embedded cluster takes to start, and what it costs: as a user runs it, seen from outside.

    python -m tests.bench.embeddedfleet [--nodes 200] [--pods 1000] [--kubernetes-version 1.37]

``cluster up`` with two pools of different profiles, until it says that the driver is Ready on all nodes; then pods with
a claim each, made from a template, until all run. Their images are not known, so they sleep, and no process is started
for them: what is measured is the cluster. Between the two, what an idle cluster takes.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.bench.api import Api, all_of
from tests.bench.program import cpu_seconds

__all__ = ["main"]

_SPACE: Final = "fleet"
_PODS: Final = f"/api/v1/namespaces/{_SPACE}/pods"
_UP: Final = re.compile(r"export KUBECONFIG=(\S+)")
_DEVICES: Final = {"large": 8, "small": 4}
"""Of a node, by the pool and the profile of that name."""
_ROLES: Final = (("fake_dra_driver.hosted", "plugins"), (" controller ", "controller"), (" cluster up ", "cluster"))
"""What a process is, by a part of its command line."""
_START_SECONDS, _PODS_SECONDS = 900.0, 900.0
_IDLE_SECONDS: Final = 20.0


def main() -> None:
    """The command line. Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--kubernetes-version", choices=("1.30", "1.37"), default="1.37")
    parser.add_argument("--python", default=sys.executable, help="interpreter whose fake_dra_driver is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        asyncio.run(_measure(options, Path(folder)))


async def _measure(options: argparse.Namespace, folder: Path) -> None:
    _say(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Kubernetes {options.kubernetes_version}")
    pools, values = folder / "pools.yaml", folder / "values.yaml"
    pools.write_text(yaml.safe_dump({"pools": [_pool(name, options.nodes // len(_DEVICES)) for name in _DEVICES]}))
    values.write_text(yaml.safe_dump({"deviceProfiles": [_profile(name) for name in _DEVICES]}))
    command = (
        *(options.python, "-m", "fake_dra_driver", "cluster", "up", f"--pools={pools}", f"--values={values}"),
        *("--unknown-images=sleep", f"--kubernetes-version={options.kubernetes_version}"),
    )
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with _running(command) as (pid, kubeconfig), Api.connect(kubeconfig, "fleet") as api:
        meter = _Meter(pid)
        meter.tell(f"{options.nodes} nodes, the driver Ready on all of them", loop.time() - begun)
        begun = loop.time()
        await asyncio.sleep(_IDLE_SECONDS)
        meter.tell("the idle cluster", loop.time() - begun)
        if options.pods:
            begun = loop.time()
            await _run_pods(api, options.pods, structured=options.kubernetes_version != "1.30")
            meter.tell(f"{options.pods} pods with a claim each, Running", loop.time() - begun)
    _say(f"load average {os.getloadavg()[0]:.1f}")


@contextlib.asynccontextmanager
async def _running(command: Sequence[str]) -> AsyncIterator[tuple[int, Path]]:
    """The cluster, for the block: its process and its kubeconfig."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            async for line in process.stdout:
                if found := _UP.search(line.decode()):
                    yield process.pid, Path(found[1])
                    break
            else:
                raise RuntimeError("the cluster has ended before it was up")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _run_pods(api: Api, count: int, *, structured: bool) -> None:
    """Makes them all at once, and waits until each of them says that it runs."""
    await api.create("/api/v1/namespaces", {"metadata": {"name": _SPACE}})
    version = "v1" if structured else "v1alpha2"
    templates = f"/apis/resource.k8s.io/{version}/namespaces/{_SPACE}/resourceclaimtemplates"
    await api.create(templates, {"metadata": {"name": "fake"}, "spec": {"spec": _claim(structured=structured)}})
    running: set[str] = set()

    async def follow() -> None:
        async for _, pod in api.watch(_PODS):
            if pod["status"].get("phase") == "Running":
                running.add(pod["metadata"]["name"])
                if len(running) == count:
                    return

    async with asyncio.timeout(_PODS_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(follow(), name="watch")
        await all_of(api.create(_PODS, _pod(number, structured=structured)) for number in range(count))


def _pool(name: str, count: int) -> Mapping[str, Any]:
    room = {"cpu": "64", "memory": "512Gi"}
    return {"name": name, "count": count, "profile": name, "labels": {"tier": name}, **room}


def _profile(name: str) -> Mapping[str, Any]:
    group = {"name": "gpu", "count": _DEVICES[name], "type": "gpu", "model": f"{name.upper()}-FAKE-MODEL"}
    return {"name": name, "spec": {"groups": [group]}}


def _claim(*, structured: bool) -> Mapping[str, Any]:
    if not structured:
        return {"resourceClassName": "fake.3-shake.com"}
    return {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "fake.3-shake.com"}}]}}


def _pod(number: int, *, structured: bool) -> Mapping[str, Any]:
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}, "claims": [{"name": "gpu"}]}
    container = {"name": "main", "image": "registry.example/app:1", "resources": resources}
    template = {"resourceClaimTemplateName": "fake"}
    claim = {"name": "gpu", **(template if structured else {"source": template})}
    return {"metadata": {"name": f"pod-{number}"}, "spec": {"containers": [container], "resourceClaims": [claim]}}


@dataclass(frozen=True, slots=True)
class _Use:
    """What processes have used of the machine."""

    cpu_seconds: float
    proportional_mib: float
    """What is shared with other processes counts by its share."""


class _Meter:
    """Tells what the processes of a cluster have used since it was last asked."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before: Mapping[str, _Use] = {}

    def tell(self, stage: str, seconds: float) -> None:
        """Prints it."""
        uses = _uses(self._pid)
        _say(f"{stage}: {seconds:.1f} s")
        for role, use in sorted(uses.items()):
            before = self._before.get(role, _Use(0, 0)).cpu_seconds
            _say(f"  {role:12} {use.cpu_seconds - before:7.1f} s of a processor {use.proportional_mib:7.0f} MiB")
        _say(f"  {'all':12} {'':30} {sum(use.proportional_mib for use in uses.values()):6.0f} MiB")
        self._before = uses


def _uses(pid: int) -> Mapping[str, _Use]:
    """By role, of a process and its descendants."""
    found: defaultdict[str, _Use] = defaultdict(lambda: _Use(0, 0))
    for each in _with_descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            command = Path(f"/proc/{each}/cmdline").read_text().replace("\0", " ")
            role = next((role for part, role in _ROLES if part in command), "others")
            before = found[role]
            mib = _proportional_mib(Path(f"/proc/{each}/smaps_rollup").read_text())
            found[role] = _Use(before.cpu_seconds + (cpu_seconds(each) or 0), before.proportional_mib + mib)
    return found


def _with_descendants(pid: int) -> Iterable[int]:
    parents: defaultdict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parents[int(path.read_text().rpartition(")")[2].split()[1])].append(int(path.parent.name))
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        waiting += parents[each]
        yield each


def _proportional_mib(rollup: str) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
