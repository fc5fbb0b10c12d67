"""What the warden of a cluster does once the cluster is no more, and that nothing else makes it do so."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fake_dra_driver.cluster.warden import Warden
from tests.unit.cluster.kubelet.waiting import until


@pytest.fixture
def container() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, which has a child."""
    script = "sleep 1000 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cluster"
    (made / "n0/var").mkdir(parents=True)
    (made / "n0/var/log").touch()
    return made


@pytest.fixture
async def warden(folder: Path) -> AsyncIterator[Warden]:
    warden = Warden()
    await warden.start(folder)
    yield warden
    await warden.close()


async def test_ends_all_that_is_left(warden: Warden, folder: Path, container: subprocess.Popen[bytes]) -> None:
    warden.begun(container.pid)
    await warden.close()
    # The pipe ends when its last holder does: the child has been killed too.
    assert (await asyncio.to_thread(container.communicate))[0] == b""
    assert container.returncode == -signal.SIGKILL
    assert not await asyncio.to_thread(folder.exists)


async def test_lets_a_number_alone_that_may_be_used_again(warden: Warden, container: subprocess.Popen[bytes]) -> None:
    warden.begun(container.pid)
    warden.ended(container.pid)
    await warden.close()
    assert container.poll() is None


async def test_waits_for_the_cluster_whatever_signal_comes(warden: Warden, folder: Path) -> None:
    assert warden._process is not None
    process = warden._process
    assert os.getsid(process.pid) == process.pid, "Ctrl-C does not reach it"
    status = Path(f"/proc/{process.pid}/status")
    wanted = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    await until(lambda: int(_field(status.read_text(), "SigIgn"), 16) & wanted == wanted)
    assert await asyncio.to_thread(folder.exists)


async def test_the_cluster_goes_on_without_it(warden: Warden, container: subprocess.Popen[bytes]) -> None:
    assert warden._process is not None
    warden._process.kill()
    await asyncio.to_thread(warden._process.wait)
    warden.begun(container.pid)
    warden.ended(container.pid)


async def test_leaves_a_folder_that_was_given(tmp_path: Path) -> None:
    warden = Warden()
    await warden.start(None)
    await warden.close()
    assert await asyncio.to_thread(tmp_path.is_dir)


def _field(status: str, name: str) -> str:
    return next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:"))
