"""Programs that give credentials."""

import asyncio
import base64
import json
import os
import pty
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.errors import CredentialsError
from fake_dra_driver.runtime.kubeconfig.document import Cluster, ExecConfig
from fake_dra_driver.runtime.kubeconfig.execplugin import ExecPlugin
from fake_dra_driver.runtime.kubeconfig.source import KubeconfigSource
from tests.integration.kubeconfig.authority import Authority
from tests.unit.runtime.kubeconfig.home import TLS, Home, row

V1 = "client.authentication.k8s.io/v1"
BETA = "client.authentication.k8s.io/v1beta1"


def answer(version: str = V1, **status: Any) -> str:
    """A command that prints an ExecCredential."""
    return f"printf %s {shlex.quote(json.dumps({'kind': 'ExecCredential', 'apiVersion': version, 'status': status}))}"


def plugin(script: str, **fields: Any) -> dict[str, Any]:
    """A user whose credentials a shell gives."""
    shell = {"apiVersion": V1, "command": "sh", "args": ["-c", script], "interactiveMode": "Never"}
    return {"exec": {**shell, **fields}}


@row("`exec`")
@pytest.mark.parametrize("version", [V1, BETA])
async def test_a_token_is_asked_for(home: Home, version: str) -> None:
    home.config(user=plugin(answer(version, token="given"), apiVersion=version))
    assert await home.headers() == {"Authorization": ["Bearer given"]}


@row("`exec`")
async def test_a_certificate_is_asked_for(home: Home) -> None:
    issued = Authority("mine").person("jane")
    status = {"clientCertificateData": issued.certificate.decode(), "clientKeyData": issued.key.decode()}
    home.config(user=plugin(answer(**status)))
    credentials = await home.load()
    assert credentials._certificate == issued.certificate.decode()
    assert credentials.headers(await credentials.token()) == ()


@row("`exec`")
@pytest.mark.parametrize(
    "other", [{"token": "mine"}, {"username": "me"}, {"client-certificate": "c", "client-key": "k"}]
)
async def test_no_program_is_asked_beside_other_credentials(home: Home, other: Mapping[str, str]) -> None:
    issued = Authority("mine").person("jane")
    home.write(".kube/c", issued.certificate)
    home.write(".kube/k", issued.key)
    home.config(user={**plugin("touch asked", env=[]), **other})
    await home.load()


@row("`exec`")
async def test_a_relative_command_is_beside_the_kubeconfig(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write("elsewhere/bin/give", "#!/bin/sh\nexit 1\n").chmod(0o700)
    home.write(".kube/bin/give", f"#!/bin/sh\n{answer(token='given')}\n").chmod(0o700)
    monkeypatch.chdir(home.folder / "elsewhere")
    home.config(user=plugin("", command="bin/give"))
    assert await home.headers() == {"Authorization": ["Bearer given"]}


@row("`exec`: `args`, `env`, `KUBERNETES_EXEC_INFO`, `provideClusterInfo`")
async def test_what_a_program_is_told(home: Home) -> None:
    script = f'echo "$WHO $KUBERNETES_EXEC_INFO" > {home.folder}/told; {answer(token="given")}'
    authority = base64.b64encode(Authority("mine").certificate).decode()
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}}
    cluster = {**TLS, "certificate-authority-data": authority, "tls-server-name": "a", "proxy-url": "http://p"}
    env = [{"name": "WHO", "value": "jane"}]
    home.config(cluster={**cluster, "extensions": [extension]}, user=plugin(script, env=env, provideClusterInfo=True))
    await home.load()
    who, _, info = (home.folder / "told").read_text().partition(" ")
    assert who == "jane"
    assert json.loads(info) == {
        "kind": "ExecCredential",
        "apiVersion": V1,
        "spec": {"interactive": False, "cluster": {**cluster, "config": {"audience": "me"}}},
    }
    home.config(user=plugin(script))
    await home.load()
    assert json.loads((home.folder / "told").read_text())["spec"] == {"interactive": False}


@row("`exec`: `interactiveMode`, stdin and stderr")
@pytest.mark.parametrize(
    ("mode", "version", "is_terminal", "is_interactive"),
    [
        ("Never", V1, True, False),
        ("IfAvailable", V1, True, True),
        ("IfAvailable", V1, False, False),
        ("Always", V1, True, True),
        ("", BETA, True, True),
    ],
)
async def test_who_can_be_asked(mode: str, version: str, is_terminal: bool, is_interactive: bool) -> None:
    script = f'case "$KUBERNETES_EXEC_INFO" in *{json.dumps(is_interactive)}*) {answer(version, token="given")};; esac'
    config = ExecConfig(apiVersion=version, command="sh", args=["-c", script], interactiveMode=mode)
    asked = ExecPlugin(config, Cluster(), b"", {"PATH": "/usr/bin:/bin"}, is_terminal=lambda: is_terminal)
    assert (await asked.run()).token == "given"


@row("`exec`: `interactiveMode`, stdin and stderr")
async def test_a_program_that_has_to_ask_a_person_needs_a_terminal(home: Home) -> None:
    source = KubeconfigSource(
        [home.config(user=plugin(answer(token="x"), interactiveMode="Always"))],
        home.environment,
        is_terminal=lambda: False,
    )
    with pytest.raises(CredentialsError, match="has to ask a person, and stdin is no terminal"):
        await source.resolve()


@row("`exec`: `interactiveMode`, stdin and stderr")
async def test_a_person_sees_the_question_and_answers_it(home: Home) -> None:
    """In a terminal of its own, as ``status`` is started in one."""
    script = f'printf "who? " >&2; read who; printf "hello $who\\n" >&2; {answer(token="given")}'
    kubeconfig = home.config(user=plugin(script, interactiveMode="IfAvailable"))
    program = (
        "import asyncio, sys; from fake_dra_driver.runtime.credentials import Credentials\n"
        "async def main():\n"
        "    print(await (await Credentials.load(sys.argv[1])).token())\n"
        "asyncio.run(main())\n"
    )
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, str(kubeconfig)), stdin=theirs, stdout=theirs, stderr=theirs
        )
        seen = await asyncio.to_thread(_read_until, ours, "who? ")
        os.write(ours, b"jane\n")
        seen += await asyncio.to_thread(_read_until, ours, "given")
        await process.wait()
    finally:
        os.close(theirs)
        os.close(ours)
    assert "hello jane" in seen


@row("`exec`: `installHint`")
async def test_a_program_that_is_not_installed_is_told_with_its_hint(home: Home) -> None:
    home.config(user=plugin("", command="no-such-program", installHint="\x1b[1mGet it\nthere.\x1b[0m\n"))
    with pytest.raises(CredentialsError) as caught:
        await home.load()
    assert str(caught.value) == (
        "The program no-such-program, which is to give the credentials, is not installed. Get it there. "
        f"(context here of {home.folder}/.kube/config)"
    )


@row("`exec`: what goes wrong")
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 3", "ended with exit code 3"),
        ("kill -9 $$", "ended with signal 9"),
        ("echo hello", "printed something else than an ExecCredential"),
        ("", "printed something else than an ExecCredential"),
        (answer(BETA, token="x"), f"printed ExecCredential of {BETA}, where ExecCredential of {V1} is asked for"),
        (answer(), "gave neither a token nor a client certificate"),
        (answer(clientCertificateData="x"), "gave a client certificate without its key"),
        (answer(token="a\nb"), "The token holds a line break"),
    ],
)
async def test_a_program_that_gives_nothing(home: Home, script: str, problem: str) -> None:
    home.config(user=plugin(script))
    with pytest.raises(CredentialsError, match=problem) as caught:
        await home.load()
    assert "\n" not in str(caught.value)


@row("`exec`: what goes wrong")
@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"command": ""}, "exec: command is missing"),
        ({"apiVersion": ""}, "exec: apiVersion is missing, and not one of"),
        (
            {"apiVersion": "client.authentication.k8s.io/v1alpha1"},
            "exec: apiVersion is client.authentication.k8s.io/v1alpha1",
        ),
        ({"interactiveMode": ""}, "exec: interactiveMode is missing, and not one of Never, IfAvailable, Always"),
        ({"env": [{"value": "x"}]}, "exec: a variable in env has no name"),
        ({"command": "/etc/hostname"}, "cannot be run: "),
    ],
)
async def test_an_entry_that_cannot_be_used(home: Home, fields: Mapping[str, Any], problem: str) -> None:
    home.config(user=plugin("", **fields))
    with pytest.raises(CredentialsError, match=problem):
        await home.load()


@row("`exec`: its deadline")
@pytest.mark.parametrize("script", ["exec sleep 600", "sleep 600"])
async def test_a_program_that_does_not_end_is_killed_in_time(script: str) -> None:
    """Also where a child of the program goes on: it has the program's stdout."""
    config = ExecConfig(apiVersion=V1, command="sh", args=["-c", f"{script}; :"], interactiveMode="Never")
    slow = ExecPlugin(config, Cluster(), b"", {"PATH": "/usr/bin:/bin"}, timeout_seconds=0.2)
    async with asyncio.timeout(30):
        with pytest.raises(
            CredentialsError, match=r"sh, which is to give the credentials, gave no credentials within 0\.2 s"
        ):
            await slow.run()


@row("`exec`: `expirationTimestamp`, and after a 401")
async def test_a_program_is_asked_again_when_what_it_gave_has_expired(home: Home) -> None:
    credentials, asked = await _counted(home, expirationTimestamp="2020-01-01T00:00:00Z")
    assert asked() == 1
    assert [await credentials.token(), await credentials.token()] == ["2", "3"]
    credentials, asked = await _counted(home, expirationTimestamp="2999-01-01T00:00:00+02:00")
    assert [await credentials.token(), await credentials.token(), asked()] == ["4", "4", 4]


@row("`exec`: `expirationTimestamp`, and after a 401")
async def test_requests_that_are_refused_at_once_share_one_run(home: Home) -> None:
    credentials, asked = await _counted(home)
    assert await asyncio.gather(*[credentials.renew("1") for _ in range(5)]) == [True] * 5
    assert asked() == 2
    assert await credentials.token() == "2"


async def test_requests_with_a_certificate_that_are_refused_at_once_share_one_run(home: Home) -> None:
    issued = Authority("mine").person("jane")
    status = {"clientCertificateData": issued.certificate.decode(), "clientKeyData": issued.key.decode()}
    count = home.write("count", "")
    home.config(user=plugin(f"echo >> {count}; {answer(**status)}"))
    credentials = await home.load()
    await asyncio.gather(*[credentials.renew(None) for _ in range(5)])
    assert count.read_text() == "\n\n"


async def _counted(home: Home, **status: Any) -> tuple[Credentials, Any]:
    """Credentials whose token is how often the program was asked."""
    count = home.folder / "count"
    given = answer(token="NUMBER", **status).replace("NUMBER", "'$(wc -l < " + str(count) + " | tr -d ' ')'")
    home.config(user=plugin(f"echo >> {count}; {given}"))
    return await home.load(), lambda: len(count.read_text())


def _read_until(descriptor: int, end: str) -> str:
    seen = ""
    while end not in seen:
        seen += os.read(descriptor, 1024).decode()
    return seen
