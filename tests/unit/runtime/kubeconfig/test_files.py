"""Which files are read, and what they say together."""

import asyncio
import os
from pathlib import Path

import pytest

from fake_dra_driver.runtime.errors import CredentialsError
from tests.unit.runtime.kubeconfig.home import PLAIN, TLS, Home, row


@row("`--kubeconfig`, `FAKE_DRA_KUBECONFIG`")
async def test_a_kubeconfig_that_is_named_wins_and_is_one_path(home: Home) -> None:
    home.config(cluster={"server": "https://other.example"})
    named = home.config(name="a:b")
    assert (await home.load(named)).server == "https://api.example:6443"
    with pytest.raises(CredentialsError, match=f"^The kubeconfig {home.folder}/missing does not exist: name one"):
        await home.load(home.folder / "missing")


@row("`--kubeconfig`, `FAKE_DRA_KUBECONFIG`")
async def test_a_kubeconfig_may_be_a_pipe_which_is_read_once(home: Home) -> None:
    content = home.config().read_bytes()
    pipe = home.folder / "pipe"
    os.mkfifo(pipe)
    writing = asyncio.create_task(asyncio.to_thread(pipe.write_bytes, content))
    credentials = await home.load(pipe)
    await writing
    assert not await credentials.renew("mine"), "there is nothing new"


@row("`KUBECONFIG` with several files")
async def test_of_several_files_the_first_with_an_entry_wins(home: Home) -> None:
    first = home.write("first", {"users": [{"name": "me", "user": {"token": "first"}}], "current-context": ""})
    second = home.config(name="second", user={"token": "second", "as": "another"})
    third = home.config(name="third", cluster={"server": "https://third.example"})
    home.environment["KUBECONFIG"] = f"{home.folder}/missing:{first}::{second}:{third}"
    assert (await home.load()).server == "https://api.example:6443"
    assert await home.headers() == {"Authorization": ["Bearer first"]}, "no field of the second file's entry"


@row("`KUBECONFIG` with several files")
async def test_files_that_cannot_be_read_are_all_named(home: Home) -> None:
    broken, folder = home.write("broken", "users: ["), home.folder / "folder"
    folder.mkdir()
    home.environment["KUBECONFIG"] = f"{home.config()}:{broken}:{folder}"
    with pytest.raises(CredentialsError) as caught:
        await home.load()
    assert str(caught.value).startswith(f"The kubeconfig {broken} cannot be used: line ")
    assert str(caught.value).endswith(f"The kubeconfig {folder} cannot be read: Is a directory")


@row("`KUBECONFIG` with several files")
async def test_only_a_shell_knows_a_tilde(home: Home) -> None:
    home.config()
    home.environment["KUBECONFIG"] = "~/.kube/config"
    with pytest.raises(CredentialsError, match=r"there is no kubeconfig at ~/\.kube/config, and no service account at"):
        await home.load()


@row("`~/.kube/config`")
async def test_without_a_name_it_is_the_one_in_the_home(home: Home) -> None:
    home.config()
    assert (await home.load()).origin == f"context here of {home.folder}/.kube/config"
    home.environment["KUBECONFIG"] = str(home.folder / "missing")
    with pytest.raises(CredentialsError, match=f"there is no kubeconfig at {home.folder}/missing,"):
        await home.load()


@row("`~/.kube/config`")
async def test_a_program_without_a_home_has_no_kubeconfig(home: Home) -> None:
    del home.environment["HOME"]
    with pytest.raises(CredentialsError, match=r"there is no kubeconfig at \$HOME/.kube/config"):
        await home.load()


@row("Relative paths")
async def test_a_relative_path_counts_from_the_file_it_stands_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "token").write_text("of the working directory")
    monkeypatch.chdir(elsewhere)
    home.write(".kube/token", "of the kubeconfig's folder\n")
    home.config(user={"tokenFile": "token"})
    assert await home.headers() == {"Authorization": ["Bearer of the kubeconfig's folder"]}
    (elsewhere / "ca.crt").write_text("")
    home.config(cluster={**TLS, "certificate-authority": "ca.crt"})
    with pytest.raises(CredentialsError, match=f"certificate-authority {home.folder}/.kube/ca.crt cannot be read"):
        await home.load()


@row("YAML and JSON")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b: c\n", "line 1: mapping values are not allowed"),
        ("users:\n- name: me\n  user: {token: secret\n", "line 4: "),
        ("- users", "it is not a mapping with clusters, users and contexts"),
        ("users: {name: me}", "users: Input should be a valid list"),
        ("users: [{user: {token: 12345}}]", "users.0.user.token: Input should be a valid string"),
        (
            "clusters: [{cluster: {insecure-skip-tls-verify: 'true'}}]",
            "insecure-skip-tls-verify: Input should be a valid bo",
        ),
        ("clusters: [{cluster: {certificate-authority-data: '@'}}]", "Value error, this is not base64"),
        ("kind: Pod", "it is a Pod of v1, and not a Config of v1"),
        ("apiVersion: v2", "it is a Config of v2, and not a Config of v1"),
        (b"\xff\xfe\x00", "it is neither YAML nor JSON"),
        ("[" * 100_000, "it is nested too deep"),
    ],
)
async def test_a_file_that_is_no_kubeconfig_is_told_in_one_line(home: Home, text: str | bytes, problem: str) -> None:
    path = home.write(".kube/config", text)
    with pytest.raises(CredentialsError) as caught:
        await home.load()
    assert str(caught.value).startswith(f"The kubeconfig {path} cannot be used: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "12345" not in str(caught.value)


@row("YAML and JSON")
@pytest.mark.parametrize(
    "text",
    [
        '{{"current-context": "c",\t"clusters": {clusters}, "users": {users}, "contexts": {contexts}}}',
        "\ufeffcurrent-context: c\nusers: {users}\nclusters: {clusters}\ncontexts: {contexts}\nnews: 1\n",
        "apiVersion: v1\nkind: Config\npreferences: null\ncurrent-context: c\ncurrent-context: c\n"
        "users: {users}\nclusters: {clusters}\ncontexts: {contexts}\n---\nusers: nonsense\n",
    ],
)
async def test_what_is_read_as_kubectl_reads_it(home: Home, text: str) -> None:
    home.write(
        ".kube/config",
        text.format(
            clusters='[{"name": "c", "cluster": {"server": "https://api.example", "unknown": 1}}]',
            users='[null, {"name": "c", "user": {"token": "x", "username": null, "as-user-extra": {"a": null}}}]',
            contexts='[{"name": "c", "context": {"cluster": "c", "user": "c"}}]',
        ),
    )
    assert await home.headers() == {"Authorization": ["Bearer x"]}


@row("YAML and JSON")
@pytest.mark.parametrize("token", ["2026-01-01", "1:30", "1:30.5", "=", "!tag", "2026-01-01T00:00:00Z"])
async def test_a_token_may_look_like_something_else(home: Home, token: str) -> None:
    text = f"users: [{{name: me, user: {{token: {token}}}}}]\n"
    path = home.write("first", text if token != "!tag" else text.replace("!tag", '"!tag"'))
    home.environment["KUBECONFIG"] = f"{path}:{home.config()}"
    assert await home.headers() == {"Authorization": [f"Bearer {token}"]}


@row("An entry twice in a file")
async def test_an_entry_twice_is_refused(home: Home) -> None:
    home.write("config", {"users": [{"name": "me", "user": {}}, {"name": "me", "user": {}}]})
    with pytest.raises(CredentialsError, match="users: me is there more than once"):
        await home.load(home.folder / "config")


@row("`current-context`, `contexts`")
async def test_a_context_that_no_file_has_is_refused(home: Home) -> None:
    home.write(".kube/config", {"current-context": "nope", "contexts": [{"name": "here"}]})
    with pytest.raises(CredentialsError, match=r"There is no context nope in .*/\.kube/config; there are: here"):
        await home.load()


@row("`current-context`, `contexts`")
async def test_names_of_entries_that_no_file_has_are_passed_over(home: Home) -> None:
    home.config(cluster=PLAIN, context={"user": "nope"})
    assert await home.headers() == {}
    home.config(context={"user": "nope"})
    with pytest.raises(CredentialsError, match="User nope has no token"):
        await home.load()


@row("`namespace` of a context")
async def test_the_namespace_of_the_context_is_for_objects_of_kr8s(home: Home) -> None:
    home.config(context={"namespace": "mine"})
    credentials = await home.load()
    assert (credentials.namespace, credentials.default_namespace) == (None, "mine")


@row("No server named")
async def test_status_looks_where_kubectl_does_when_nothing_names_a_server(home: Home) -> None:
    options = {"default_server": "http://localhost:8080"}
    missing = await home.load(**options)
    path = home.write(".kube/config", "")
    empty = await home.load(**options)
    assert missing.server == empty.server == "http://localhost:8080"
    assert missing.origin == f"the default: there is no kubeconfig at {path}"
    assert empty.origin == f"the default: {path} names no server"
    home.environment["KUBERNETES_MASTER"] = "http://master.example"
    assert (await home.load(**options)).server == "http://master.example"


@row("No server named")
async def test_other_programs_end_when_nothing_names_a_server(home: Home) -> None:
    path = home.write(".kube/config", "")
    account = home.folder / "serviceaccount"
    with pytest.raises(CredentialsError) as caught:
        await home.load()
    assert str(caught.value) == (
        f"No credentials for an API server: {path} names no server, and no service account at {account}. "
        "Name a kubeconfig"
    )


async def test_the_home_of_another_is_no_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run with HOME=/root and another user."""
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "config":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(CredentialsError, match="no service account at"):
        await home.load()
