"""Who we are: tokens, certificates, passwords, another identity."""

import asyncio
import os
import ssl
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_dra_driver.runtime import clienttls
from fake_dra_driver.runtime.errors import CredentialsError
from tests.integration.kubeconfig.authority import Authority, Issued
from tests.unit.runtime.kubeconfig.home import Home, row


@pytest.fixture
def issued() -> Issued:
    return Authority("mine").person("jane")


@row("`token`")
async def test_a_token_is_sent(home: Home) -> None:
    home.config(user={"token": "mine"})
    assert await home.headers() == {"Authorization": ["Bearer mine"]}
    home.config(user={"token": "mine\nyours"})
    with pytest.raises(CredentialsError, match="The token holds a line break"):
        await home.load()


@row("`tokenFile`")
async def test_a_token_in_a_file_wins_as_long_as_it_can_be_read(home: Home) -> None:
    file = home.write(".kube/token", "of the file\n")
    home.config(user={"token": "inline", "tokenFile": "token"})
    assert await home.headers() == {"Authorization": ["Bearer of the file"]}
    file.unlink()
    assert await home.headers() == {"Authorization": ["Bearer inline"]}
    home.config(user={"tokenFile": "token"})
    with pytest.raises(CredentialsError, match=f"The tokenFile {file} cannot be read: No such file"):
        await home.load()
    file.write_bytes(b"\xff")
    assert await home.headers() == {"Authorization": ["Bearer \ufffd"]}
    file.write_bytes(b"")
    with pytest.raises(CredentialsError, match=f"The tokenFile {file} is empty"):
        await home.load()


@row("`tokenFile`")
@pytest.mark.parametrize("field", ["tokenFile", "client-certificate", "certificate-authority"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["a FIFO", "a device"])
async def test_a_file_that_would_be_read_for_ever_is_refused_at_once(
    home: Home, field: str, make: Callable[[Path], None]
) -> None:
    file = home.folder / "endless"
    make(file)
    cluster = {"server": "https://localhost"} | ({field: str(file)} if field == "certificate-authority" else {})
    user = {"client-certificate": {field: str(file), "client-key": str(file)}}.get(field, {"tokenFile": str(file)})
    home.config(cluster=cluster, user=user if field != "certificate-authority" else None)
    with pytest.raises(CredentialsError, match=f"{field} {file} cannot be read: It is not a regular file"):
        await home.load()


@row("`username`, `password`")
async def test_a_password_is_sent(home: Home) -> None:
    home.config(user={"username": "älice", "password": "a b"})
    assert await home.headers() == {"Authorization": ["Basic " + b64encode("älice:a b".encode()).decode()]}
    home.config(user={"username": "alice", "token": "mine"})
    with pytest.raises(CredentialsError, match="both a token and a username or password: remove one"):
        await home.load()


@row("`as`, `as-uid`, `as-groups`, `as-user-extra`")
async def test_another_identity_is_asked_for(home: Home) -> None:
    another = {"as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"Scopes/ä b%": ["x", "y"]}}
    home.config(user={"token": "mine", **another})
    assert await home.headers() == {
        "Authorization": ["Bearer mine"],
        "Impersonate-User": ["jane"],
        "Impersonate-Uid": ["7"],
        "Impersonate-Group": ["a", "b"],
        "Impersonate-Extra-scopes%2f%c3%a4%20b%25": ["x", "y"],
    }
    home.config(user={"token": "mine", "as-groups": ["a"]})
    with pytest.raises(CredentialsError, match="as-user-extra without as"):
        await home.load()


@row("`client-certificate`, `client-key`, and both with `-data`")
@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has files in memory")
@pytest.mark.parametrize("as_files", [True, False])
async def test_a_certificate_is_shown_and_needs_no_temporary_folder(
    home: Home, issued: Issued, monkeypatch: pytest.MonkeyPatch, as_files: bool
) -> None:
    inline = {f"{name}-data": b64encode(text).decode() for name, text in entries(issued)}
    for name, text in entries(issued):
        home.write(f".kube/{name}", text)
    home.config(user={name: name for name, _ in entries(issued)} if as_files else inline)
    monkeypatch.setattr(tempfile, "tempdir", str(home.folder / "missing"))
    assert isinstance((await home.load()).ssl_context, ssl.SSLContext)
    assert await home.headers() == {}


@row("Files on disk")
async def test_where_there_is_no_memory_for_files_they_are_removed(
    home: Home, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(home.folder / "tmp"))
    (home.folder / "tmp").mkdir()
    other = Authority("other").person("joe")
    await asyncio.to_thread(clienttls.ClientTls(certificate=issued.certificate, key=issued.key).context)
    for key in (other.key, b"nonsense"):
        with pytest.raises(CredentialsError):
            await asyncio.to_thread(clienttls.ClientTls(certificate=issued.certificate, key=key).context)
    assert list((home.folder / "tmp").iterdir()) == []


@row("`client-certificate`, `client-key`, and both with `-data`")
async def test_certificates_of_no_use_are_refused(home: Home, issued: Issued) -> None:
    certificate, key = (b64encode(text).decode() for _, text in entries(issued))
    other = b64encode(Authority("other").person("joe").key).decode()
    for user, problem in (
        ({"client-certificate-data": certificate}, "a client certificate without client-key or client-key-data"),
        ({"client-certificate-data": certificate, "client-key": "missing"}, "client-key .*/missing cannot be read"),
        ({"client-certificate-data": certificate, "client-key-data": other}, "private key does not belong to its"),
        ({"client-certificate-data": certificate, "client-key-data": "eA=="}, "private key cannot be read: not in PEM"),
        ({"client-certificate-data": certificate, "client-certificate": "a", "client-key-data": key}, "there are both"),
    ):
        home.config(user=user)
        with pytest.raises(CredentialsError, match=problem):
            await home.load()


@row("`client-certificate`, `client-key`, and both with `-data`")
async def test_a_certificate_that_was_renewed_on_disk_is_seen(home: Home, issued: Issued) -> None:
    for name, text in entries(issued):
        home.write(f".kube/{name}", text)
    home.config(user={name: name for name, _ in entries(issued)})
    credentials = await home.load()
    before = credentials.ssl_context
    newer = Authority("mine").person("jane")
    home.write(".kube/client-certificate", newer.certificate)
    credentials._certificate_refresh_at = 0
    await credentials.token()
    assert credentials.ssl_context is before, "the key is not there yet, and what is known is kept"
    home.write(".kube/client-key", newer.key)
    await credentials.token()
    assert credentials.ssl_context is before, "it is not time yet"
    credentials._certificate_refresh_at = 0
    await credentials.token()
    assert credentials.ssl_context is not before


@row("`auth-provider`")
async def test_ways_to_log_in_that_are_no_more(home: Home) -> None:
    for name, instead in (("gcp", "gke-gcloud-auth-plugin"), ("azure", "kubelogin"), ("other", "use a program")):
        home.config(user={"auth-provider": {"name": name}})
        with pytest.raises(CredentialsError, match=f"auth-provider {name} does not exist any more: .*{instead}"):
            await home.load()
    home.config(user={"auth-provider": {"name": "oidc", "config": {"id-token": "a.b.c"}}})
    assert await home.headers() == {"Authorization": ["Bearer a.b.c"]}


@row("Nothing that says who the user is")
async def test_a_user_without_credentials_is_refused(home: Home) -> None:
    home.config(user={"password": "secret"})
    with pytest.raises(CredentialsError, match="User me has no token, client certificate or username"):
        await home.load()
    home.config(user={}, context={"user": ""})
    with pytest.raises(CredentialsError, match="The context has no user"):
        await home.load()


def entries(issued: Issued) -> list[tuple[str, bytes]]:
    return [("client-certificate", issued.certificate), ("client-key", issued.key)]
