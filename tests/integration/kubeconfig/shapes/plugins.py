"""Exec plugins: how they are found and started, what they are told, and what is made of their answers.

The plugin is a shell script that notes what it was started with, and answers with the file ``answer``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.integration.kubeconfig.lab import FOLDER, HOME, KUBECONFIG, NOTES, Document, Lab, Scene, encoded, kubeconfig
from tests.integration.kubeconfig.shapes.shape import Shape, certificate

__all__ = ["NOTING", "PLUGIN", "PLUGINS", "answered", "of_answer", "plugin"]

_GROUP: Final = "client.authentication.k8s.io"
PLUGIN: Final = f"{HOME}/plugins/login"
"""Where the plugin is."""
_ANSWER: Final = "answer"

NOTING: Final = f"""#!/bin/sh
printf '%s\\n' "$KUBERNETES_EXEC_INFO" "in $PWD" "with $*" "and $COLOUR" >> ROOT/{NOTES}
"""
"""The beginning of a script."""
_SCRIPT: Final = f"{NOTING}cat ROOT/{_ANSWER}\n"


def plugin(**fields: Any) -> Document:
    """Fields of a user with a plugin: those that every plugin has to have, and these. None leaves one out."""
    always = {"apiVersion": f"{_GROUP}/v1", "command": f"ROOT/{PLUGIN}", "interactiveMode": "Never"}
    return {"exec": {name: value for name, value in {**always, **fields}.items() if value is not None}}


def of_answer(version: str = "v1", **status: object) -> Document:
    """An ExecCredential with this status."""
    return {"apiVersion": f"{_GROUP}/{version}", "kind": "ExecCredential", "status": status}


def of_plugin(
    user: Document,
    *refusal: str,
    answer: Callable[[Lab], Document | str] = lambda _: of_answer(token="of a plugin"),
    cluster: Callable[[Lab], Document] = lambda lab: lab.trusted(lab.tls),
    place: str = PLUGIN,
    environment: Mapping[str, str] | None = None,
    ours: Sequence[str] | None = None,
) -> Shape:
    """A user with a plugin, which is at ``place``."""
    return Shape(
        lambda lab: Scene(
            {KUBECONFIG: kubeconfig(cluster(lab), user), place: _SCRIPT, _ANSWER: answer(lab)},
            {"KUBECONFIG": f"ROOT/{KUBECONFIG}", **(environment or {})},
            programs=[place],
        ),
        refusal or None,
        ours,
    )


def answered(answer: Callable[[Lab], Document | str], *refusal: str, ours: Sequence[str] | None = None) -> Shape:
    """A plugin that gives this answer."""
    return of_plugin(plugin(), *refusal, answer=answer, ours=ours)


def _alice(lab: Lab) -> Mapping[str, str]:
    return {
        "clientCertificateData": lab.alice.certificate.decode(),
        "clientKeyData": lab.alice.key.decode(),
    }


def _with_extension(lab: Lab, **fields: Any) -> Document:
    extensions = [
        {"name": "other", "extension": {"a": 1}},
        {"name": f"{_GROUP}/exec", "extension": {"audience": "this", "list": [1, {"a": None}]}},
    ]
    return lab.trusted(lab.tls, extensions=extensions, **fields)


PLUGINS: Final = {
    "a command with an absolute path": of_plugin(plugin()),
    "a command with a relative path": of_plugin(plugin(command="plugins/login")),
    "a command with a relative path, not from the working directory": of_plugin(
        plugin(command="plugins/login"), "plugins/login", place=f"{FOLDER}/plugins/login"
    ),
    "a command with a dot before it": of_plugin(plugin(command="./plugins/login")),
    "a command on PATH": of_plugin(plugin(command="login"), environment={"PATH": f"ROOT/{HOME}/plugins:/usr/bin:/bin"}),
    "a command that is not on PATH, but beside the kubeconfig": of_plugin(
        plugin(command="the-login"), "the-login", place=f"{HOME}/the-login"
    ),
    "a command that is not on PATH, but in the working directory": of_plugin(
        plugin(command="the-login"), "the-login", place=f"{FOLDER}/the-login"
    ),
    "a command that is not there, with a hint": of_plugin(
        plugin(command="the-login", installHint="Fetch it from the shop."), "the-login", "Fetch it from the shop."
    ),
    "a command that is a folder": of_plugin(plugin(command=f"ROOT/{HOME}/plugins"), f"ROOT/{HOME}/plugins"),
    "a command that is not to be executed": of_plugin(plugin(command=f"ROOT/{_ANSWER}"), f"ROOT/{_ANSWER}"),
    "a command that fails": of_plugin(plugin(command="false"), "false", "1"),
    "a command that is killed": of_plugin(plugin(command="sh", args=["-c", "kill -9 $$"]), "sh", "failed", ours=["sh"]),
    "no command": of_plugin(plugin(command=None), "here", "command"),
    "arguments": of_plugin(plugin(args=["one", "two words", "$HOME", "~"])),
    "variables": of_plugin(plugin(env=[{"name": "COLOUR", "value": "blue"}])),
    "variables before those of the environment": of_plugin(
        plugin(env=[{"name": "COLOUR", "value": "blue"}]), environment={"COLOUR": "red"}
    ),
    "variables of the environment": of_plugin(plugin(), environment={"COLOUR": "red"}),
    "a variable without a name": of_plugin(plugin(env=[{"value": "blue"}]), "here", "env"),
    "a variable without a value": of_plugin(plugin(env=[{"name": "COLOUR"}]), environment={"COLOUR": "red"}),
    "KUBERNETES_EXEC_INFO in the environment": of_plugin(
        plugin(env=[{"name": "KUBERNETES_EXEC_INFO", "value": "mine"}]), environment={"KUBERNETES_EXEC_INFO": "other"}
    ),
    "v1beta1": of_plugin(
        plugin(apiVersion=f"{_GROUP}/v1beta1"), answer=lambda _: of_answer("v1beta1", token="of a plugin")
    ),
    "v1beta1 without interactiveMode": of_plugin(
        plugin(apiVersion=f"{_GROUP}/v1beta1", interactiveMode=None),
        answer=lambda _: of_answer("v1beta1", token="of a plugin"),
    ),
    "v1alpha1": of_plugin(plugin(apiVersion=f"{_GROUP}/v1alpha1"), "v1alpha1"),
    "no apiVersion": of_plugin(plugin(apiVersion=None), "here", "apiVersion"),
    "no interactiveMode": of_plugin(plugin(interactiveMode=None), "here", "interactiveMode"),
    "another interactiveMode": of_plugin(plugin(interactiveMode="Sometimes"), "Sometimes"),
    "interactiveMode IfAvailable, without a terminal": of_plugin(plugin(interactiveMode="IfAvailable")),
    "interactiveMode Always, without a terminal": of_plugin(plugin(interactiveMode="Always"), "terminal"),
    "told the cluster": of_plugin(plugin(provideClusterInfo=True), cluster=_with_extension),
    "told the cluster in v1beta1": of_plugin(
        plugin(apiVersion=f"{_GROUP}/v1beta1", provideClusterInfo=True),
        answer=lambda _: of_answer("v1beta1", token="of a plugin"),
        cluster=_with_extension,
    ),
    "told the cluster with its proxy and names": of_plugin(
        plugin(provideClusterInfo=True),
        cluster=lambda lab: _with_extension(
            lab, **{"proxy-url": lab.proxy.url, "tls-server-name": "localhost", "disable-compression": True}
        ),
    ),
    "told the cluster, which is insecure": of_plugin(
        plugin(provideClusterInfo=True),
        cluster=lambda lab: {"server": lab.stranger.url, "insecure-skip-tls-verify": True},
    ),
    "told the cluster, which has a path": of_plugin(
        plugin(provideClusterInfo=True), cluster=lambda lab: lab.trusted(f"{lab.tls.url}/path/?query=1")
    ),
    "told the cluster, whose authority is in a file": Shape(
        lambda lab: Scene(
            {
                KUBECONFIG: kubeconfig(
                    {"server": lab.tls.url, "certificate-authority": "ca.crt"}, plugin(provideClusterInfo=True)
                ),
                f"{HOME}/ca.crt": lab.authority.certificate,
                PLUGIN: _SCRIPT,
                _ANSWER: of_answer(token="of a plugin"),
            },
            programs=[PLUGIN],
        )
    ),
    "a certificate": answered(lambda lab: of_answer(**_alice(lab))),
    "a certificate and a token": answered(lambda lab: of_answer(token="of a plugin", **_alice(lab))),
    "a certificate without its key": answered(
        lambda lab: of_answer(clientCertificateData=lab.alice.certificate.decode()), "key"
    ),
    "a certificate in base64": answered(
        lambda lab: of_answer(
            clientCertificateData=encoded(lab.alice.certificate), clientKeyData=encoded(lab.alice.key)
        ),
        "certificate",
    ),
    "a token with a line's end": answered(lambda _: of_answer(token="mine\n"), "Authorization", ours=["token"]),
    "a token that is valid for long": answered(
        lambda _: of_answer(token="of a plugin", expirationTimestamp="2999-01-01T00:00:00Z")
    ),
    "a token that has expired": answered(
        lambda _: of_answer(token="of a plugin", expirationTimestamp="2001-01-01T00:00:00Z")
    ),
    "a time that is none": answered(
        lambda _: of_answer(token="of a plugin", expirationTimestamp="soon"), "soon", ours=["login"]
    ),
    "a field of no meaning": answered(lambda _: {**of_answer(token="of a plugin"), "colour": "blue"}),
    "no status": answered(lambda _: {"apiVersion": f"{_GROUP}/v1", "kind": "ExecCredential"}, "status"),
    "an empty status": answered(lambda _: of_answer(), "token"),
    "the other version": answered(lambda _: of_answer("v1beta1", token="of a plugin"), "v1beta1"),
    "the other version, where the older is asked for": of_plugin(plugin(apiVersion=f"{_GROUP}/v1beta1"), "v1beta1"),
    "another kind": answered(lambda _: {**of_answer(token="of a plugin"), "kind": "Pod"}, "Pod"),
    "no kind": answered(lambda _: {"apiVersion": f"{_GROUP}/v1", "status": {"token": "of a plugin"}}),
    "nothing": answered(lambda _: "", "plugin", ours=["login"]),
    "no JSON": answered(lambda _: "Please log in.", "stdout", ours=["login"]),
    "YAML": answered(lambda _: f"apiVersion: {_GROUP}/v1\nkind: ExecCredential\nstatus:\n  token: of a plugin\n"),
    "a token beside the plugin": of_plugin({**plugin(), "token": "mine"}),
    "a user name beside the plugin": of_plugin({**plugin(), "username": "alice", "password": "secret"}),
    "another user": of_plugin({**plugin(), "as": "bob"}),
    "a plugin, for plain HTTP": of_plugin(plugin(), cluster=lambda lab: {"server": lab.http.url}),
    "an auth provider beside the plugin": of_plugin(
        {**plugin(), "auth-provider": {"name": "gcp", "config": {}}}, "here", "provider"
    ),
    "a certificate beside the plugin": Shape(
        lambda lab: Scene(
            {
                KUBECONFIG: kubeconfig(lab.trusted(lab.tls), {**plugin(), **certificate(lab)}),
                PLUGIN: _SCRIPT,
                _ANSWER: of_answer(token="of a plugin"),
            },
            programs=[PLUGIN],
        )
    ),
}
