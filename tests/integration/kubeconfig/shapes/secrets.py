"""Refusals of what holds a secret, which no message may show: the word ``secret`` stands in each."""

from typing import Final

from tests.integration.kubeconfig.lab import KUBECONFIG
from tests.integration.kubeconfig.shapes.plugins import answered, of_answer
from tests.integration.kubeconfig.shapes.shape import of_cluster, of_text, of_user

__all__ = ["SECRETS"]

_LOGIN: Final = "alice:secret@"

SECRETS: Final = {
    "of a server where nothing is": of_cluster(lambda _: {"server": f"https://{_LOGIN}127.0.0.1:1"}, "127.0.0.1:1"),
    "of a server with a port too high": of_cluster(lambda _: {"server": f"https://{_LOGIN}127.0.0.1:99999"}, "99999"),
    "of a server of another scheme": of_cluster(lambda _: {"server": f"ftp://{_LOGIN}127.0.0.1:1"}, "ftp"),
    "of a server with a space": of_cluster(lambda _: {"server": f"https://{_LOGIN}127.0.0.1 :1"}, "127.0.0.1"),
    "of a server without scheme": of_cluster(lambda _: {"server": f"{_LOGIN}127.0.0.1:1/path"}, "/path"),
    "of a server with a slash in it": of_cluster(
        lambda _: {"server": "https://alice:p/secret@127.0.0.1:1"}, "127.0.0.1", ours=["server"]
    ),
    "of a server that is not trusted": of_cluster(
        lambda lab: lab.trusted(f"https://{_LOGIN}{lab.stranger.authority}"), "certificate"
    ),
    "of a proxy where nothing is": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"http://{_LOGIN}127.0.0.1:1"}), "127.0.0.1:1"
    ),
    "of a proxy of SOCKS5 where nothing is": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"socks5://{_LOGIN}127.0.0.1:1"}), "127.0.0.1:1"
    ),
    "of a proxy that wants another": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"http://{_LOGIN}{lab.locked_proxy.authority}"}),
        "Proxy Authentication Required",
    ),
    "of a proxy of SOCKS5 that wants another": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"socks5://{_LOGIN}{lab.locked_socks.authority}"}), "socks"
    ),
    "of a proxy of another scheme": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"ftp://{_LOGIN}127.0.0.1:1"}), "ftp"
    ),
    "of a proxy without a scheme": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"{_LOGIN}127.0.0.1:1"}), "proxy-url"
    ),
    "of a proxy with a slash in it": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "http://alice:p/secret@127.0.0.1:1"}), "proxy-url"
    ),
    "of a proxy of the environment, with a slash in it": of_cluster(
        lambda lab: lab.trusted(lab.far),
        "api.cluster.invalid",
        environment=lambda _: {"HTTPS_PROXY": "http://alice:p/secret@127.0.0.1:1"},
        ours=[],
    ),
    "of a user in broken YAML": of_text("users: [{name: here, user: {token: secret: }}]\n", f"ROOT/{KUBECONFIG}"),
    "of a user in a list": of_user(lambda _: {"token": ["secret"]}, f"ROOT/{KUBECONFIG}", "token"),
    "of a user in two lines": of_user(lambda _: {"token": "secret\nsecret"}, "Authorization", ours=["token"]),
    "of a plugin, in no JSON": answered(lambda _: "Welcome! secret", "stdout", ours=["login"]),
    "of a plugin, in a list": answered(lambda _: of_answer(token=["secret"]), "stdout", ours=["login"]),
    "of a plugin, in two lines": answered(lambda _: of_answer(token="secret\nsecret"), "Authorization", ours=["token"]),
}
