"""Programs as processes: ``status`` at a terminal, as kubectl does it, and when it is stopped; all of them at ::1."""

import errno
import os
import pty
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.kubeconfig.lab import KUBECONFIG, Lab, Scene, kubeconfig
from tests.integration.kubeconfig.programs import kubectl_command, our_command, run_process, run_status, started
from tests.integration.kubeconfig.shapes import SHAPES
from tests.integration.kubeconfig.shapes.plugins import NOTING, PLUGIN, plugin
from tests.integration.kubeconfig.shapes.shape import certificate

DEADLINE_SECONDS: Final = 60
ASKING: Final = f"""{NOTING}
echo 'Your name, please:' >&2
read name
cat <<EOF
{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "${{name:-none}}"}}}}
EOF
"""
WAITING: Final = """#!/bin/sh
echo > ROOT/started
exec cat ROOT/never
"""
"""Says at one named pipe that it has started, and waits at another."""


@contextmanager
def terminal() -> Iterator[int]:
    """The side of a terminal that is a program's stdin; at the other a person has typed a name."""
    person, program = pty.openpty()
    try:
        os.write(person, b"alice\n")
        yield program
    finally:
        os.close(person)
        os.close(program)


def with_plugin(lab: Lab, script: str, **fields: Any) -> Scene:
    document = kubeconfig(lab.trusted(lab.tls), plugin(**fields))
    return Scene({KUBECONFIG: document, PLUGIN: script}, programs=[PLUGIN])


@pytest.mark.parametrize(
    "name",
    [
        "server: an IPv6 address",
        "trust: a server of another authority",
        "user: another user with everything",
        "files: --kubeconfig that is missing",
        "plugin: a command with a relative path",
    ],
)
def test_the_program_does_what_it_does_in_the_process_of_the_tests(lab: Lab, root: Path, name: str) -> None:
    scene = SHAPES[name].scene(lab)
    scene.set_up(root)
    assert run_process(lab, scene, root, our_command("status")) == run_status(lab, scene, root)


@pytest.mark.kubectl
@pytest.mark.parametrize("mode", ["IfAvailable", "Always", "Never"])
def test_a_plugin_asks_a_person_at_a_terminal(lab: Lab, root: Path, mode: str) -> None:
    scene = with_plugin(lab, ASKING, interactiveMode=mode)
    scene.set_up(root)
    with terminal() as stdin:
        kubectl = run_process(lab, scene, root, kubectl_command(), stdin)
    with terminal() as stdin:
        status = run_process(lab, scene, root, our_command("status"), stdin)
    assert status.outcome == kubectl.outcome
    assert status.plugin == kubectl.plugin
    assert status.outcome.call is not None
    assert status.outcome.call.authorization == ("Bearer none" if mode == "Never" else "Bearer alice")
    assert status.stderr.startswith("Your name, please:\n"), "what it says to a person is shown"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_run_that_is_cut_off_leaves_nothing_behind(lab: Lab, root: Path, number: int, code: int) -> None:
    scene = Scene({KUBECONFIG: kubeconfig(lab.trusted(lab.silent), certificate(lab))})
    scene.set_up(root)
    lab.silent.asked.clear()
    with started(scene, root, our_command("status")) as process:
        assert lab.silent.asked.wait(DEADLINE_SECONDS)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, stderr) == (code, "")
    assert list((root / "tmp").iterdir()) == []


def test_a_plugin_ends_with_the_run_that_is_interrupted(lab: Lab, root: Path) -> None:
    scene = with_plugin(lab, WAITING)
    scene.set_up(root)
    for name in ("started", "never"):
        os.mkfifo(root / name)
    with started(scene, root, our_command("status")) as process:
        (root / "started").read_text()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, stderr) == (130, "")
    with pytest.raises(OSError, match="No such device or address") as no_reader:
        os.open(root / "never", os.O_WRONLY | os.O_NONBLOCK)
    assert no_reader.value.errno == errno.ENXIO
    assert list((root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("status", ()),
        ("controller", ("--namespace=here", "--http-endpoint=")),
        ("set-nas-status", ("--namespace=here", "--node-name=node", "--status=Ready")),
        (
            "kubelet-plugin",
            (
                "--namespace=here",
                "--node-name=node",
                "--http-endpoint=",
                *(f"--{flag}=ROOT/plugin" for flag in ("kubelet-registry-dir", "kubelet-plugins-dir", "cdi-root")),
            ),
        ),
    ],
)
def test_every_program_asks_a_server_at_an_ipv6_address(lab: Lab, command: str, flags: Sequence[str]) -> None:
    document = kubeconfig(lab.trusted(lab.silent6), {"token": "mine"})
    scene = Scene({KUBECONFIG: document, "plugin": None}, arguments=flags)
    lab.recorder.clear()
    lab.silent6.asked.clear()
    with tempfile.TemporaryDirectory() as folder:  # its path is short enough for the plugin's sockets
        scene.set_up(Path(folder))
        with started(scene, Path(folder), our_command(command)) as process:
            assert lab.silent6.asked.wait(DEADLINE_SECONDS), process.communicate(timeout=DEADLINE_SECONDS)
    call = lab.recorder.outcome().call
    assert call is not None
    assert (call.server, call.host, call.authorization) == ("silent on ::1", lab.silent6.authority, "Bearer mine")
