"""Which files are read, and how they are merged."""

from typing import Final

from tests.integration.kubeconfig.lab import FOLDER, HOME, KUBECONFIG, Scene, encoded, kubeconfig
from tests.integration.kubeconfig.shapes.shape import DEFAULT_ADDRESS, Shape, of_files, part, simple

__all__ = ["FILES"]

FILES: Final = {
    "~/.kube/config": of_files(lambda lab: {f"{HOME}/.kube/config": simple(lab)}),
    "~/.kube/config, and an empty KUBECONFIG": of_files(
        lambda lab: {f"{HOME}/.kube/config": simple(lab)}, KUBECONFIG=""
    ),
    "KUBECONFIG before ~/.kube/config": of_files(
        lambda lab: {f"{HOME}/.kube/config": simple(lab, "home"), "a": simple(lab, "a")}, KUBECONFIG="ROOT/a"
    ),
    "--kubeconfig before KUBECONFIG": of_files(
        lambda lab: {"a": simple(lab, "a"), "b": simple(lab, "b")},
        arguments=["--kubeconfig=ROOT/b"],
        KUBECONFIG="ROOT/a",
    ),
    "--kubeconfig that is missing": of_files(
        lambda lab: {"a": simple(lab)}, "ROOT/gone", arguments=["--kubeconfig=ROOT/gone"], KUBECONFIG="ROOT/a"
    ),
    "--kubeconfig with a relative path": of_files(
        lambda lab: {f"{FOLDER}/a": simple(lab)}, arguments=["--kubeconfig=a"]
    ),
    "--kubeconfig with a colon in its path": of_files(
        lambda lab: {"a:b": simple(lab)}, arguments=["--kubeconfig=ROOT/a:b"]
    ),
    "no file": of_files(lambda _: {}, DEFAULT_ADDRESS),
    "no file, but KUBERNETES_MASTER": Shape(lambda lab: Scene({}, {"KUBERNETES_MASTER": lab.http.url})),
    "KUBERNETES_MASTER beside a kubeconfig": Shape(
        lambda lab: Scene({"a": simple(lab)}, {"KUBERNETES_MASTER": lab.http.url, "KUBECONFIG": "ROOT/a"})
    ),
    "KUBECONFIG that is missing": of_files(lambda _: {}, DEFAULT_ADDRESS, KUBECONFIG="ROOT/gone"),
    "KUBECONFIG that is missing, and ~/.kube/config": of_files(
        lambda lab: {f"{HOME}/.kube/config": simple(lab)}, DEFAULT_ADDRESS, KUBECONFIG="ROOT/gone"
    ),
    "KUBECONFIG with a relative path": of_files(lambda lab: {f"{FOLDER}/a": simple(lab)}, KUBECONFIG="a"),
    "KUBECONFIG with ~, which only a shell knows": of_files(
        lambda lab: {f"{HOME}/a": simple(lab)}, DEFAULT_ADDRESS, KUBECONFIG="~/a"
    ),
    "the second is missing": of_files(lambda lab: {"a": simple(lab)}, KUBECONFIG="ROOT/a:ROOT/gone"),
    "the first is missing": of_files(lambda lab: {"a": simple(lab)}, KUBECONFIG="ROOT/gone:ROOT/a"),
    "empty names": of_files(lambda lab: {"a": simple(lab)}, KUBECONFIG=":ROOT/a::"),
    "an empty file": of_files(lambda lab: {"a": "", "b": simple(lab)}, KUBECONFIG="ROOT/a:ROOT/b"),
    "an empty file alone": of_files(lambda _: {"a": ""}, DEFAULT_ADDRESS, KUBECONFIG="ROOT/a"),
    "a file of white space": of_files(lambda lab: {"a": "\n\n", "b": simple(lab)}, KUBECONFIG="ROOT/a:ROOT/b"),
    "a folder": of_files(lambda lab: {"a": None, "b": simple(lab)}, "ROOT/a", KUBECONFIG="ROOT/a:ROOT/b"),
    "a folder alone": of_files(lambda _: {"a": None}, "ROOT/a", KUBECONFIG="ROOT/a"),
    "a file within a file": of_files(lambda lab: {"a": simple(lab)}, "ROOT/a/b", KUBECONFIG="ROOT/a/b:ROOT/a"),
    "a broken file after a good one": of_files(
        lambda lab: {"a": simple(lab), "b": "clusters: ["}, "ROOT/b", KUBECONFIG="ROOT/a:ROOT/b"
    ),
    "two broken files": of_files(
        lambda _: {"a": "clusters: [", "b": "users: ["}, "ROOT/a", "ROOT/b", KUBECONFIG="ROOT/a:ROOT/b"
    ),
    "/dev/null": of_files(lambda _: {}, DEFAULT_ADDRESS, KUBECONFIG="/dev/null"),
    "/dev/null before a file": of_files(lambda lab: {"a": simple(lab)}, KUBECONFIG="/dev/null:ROOT/a"),
    "--kubeconfig=/dev/null": of_files(lambda _: {}, DEFAULT_ADDRESS, arguments=["--kubeconfig=/dev/null"]),
    "--kubeconfig that is empty": of_files(
        lambda lab: {"a": simple(lab)}, arguments=["--kubeconfig="], KUBECONFIG="ROOT/a"
    ),
    "--kubeconfig that is a folder": of_files(lambda _: {"a": None}, "ROOT/a", arguments=["--kubeconfig=ROOT/a"]),
    "a colon alone": of_files(lambda _: {}, DEFAULT_ADDRESS, KUBECONFIG=":"),
    "a name too long": of_files(lambda lab: {"a": simple(lab)}, "too long", KUBECONFIG=f"ROOT/{'a' * 300}:ROOT/a"),
    "a file with a slash at its end": of_files(lambda lab: {"a": simple(lab)}, "ROOT/a/", KUBECONFIG="ROOT/a/"),
    "a link to itself": Shape(
        lambda lab: Scene({"b": simple(lab)}, {"KUBECONFIG": "ROOT/a:ROOT/b"}, links={"a": "a"}), ["ROOT/a"]
    ),
    "a link to a file that is missing": Shape(
        lambda lab: Scene({"b": simple(lab)}, {"KUBECONFIG": "ROOT/a:ROOT/b"}, links={"a": "gone"})
    ),
    "~/.kube/config that is a folder": of_files(lambda _: {f"{HOME}/.kube/config": None}, f"ROOT/{HOME}/.kube/config"),
    "one file twice": of_files(lambda lab: {"a": simple(lab)}, KUBECONFIG="ROOT/a:ROOT/a"),
    "the same entries in two files": of_files(
        lambda lab: {
            "a": simple(lab, "first"),
            "b": kubeconfig(lab.trusted(lab.second), {"token": "second"}),
        },
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "an entry whose fields are in two files": of_files(
        lambda lab: {
            "a": part(clusters=[("here", {"server": lab.tls.url})], current="here"),
            "b": kubeconfig({"certificate-authority-data": encoded(lab.authority.certificate)}, {"token": "mine"}),
        },
        "certificate",
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "the current context of the second file": of_files(
        lambda lab: {"a": {**simple(lab, "first"), "current-context": ""}, "b": {"current-context": "here"}},
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "the current context of the first file, an entry of the second": of_files(
        lambda lab: {
            "a": {**simple(lab, "first"), "current-context": "there"},
            "b": kubeconfig(lab.trusted(lab.second), {"token": "second"}, "there"),
        },
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "cluster, user and context in three files": of_files(
        lambda lab: {
            "one/a": part(clusters=[("c", {"server": lab.tls.url, "certificate-authority": "ca.crt"})]),
            "one/ca.crt": lab.authority.certificate,
            "two/b": part(users=[("u", {"tokenFile": "token"})]),
            "two/token": "from a file",
            "three/c": part(contexts=[("x", {"cluster": "c", "user": "u"})], current="x"),
        },
        KUBECONFIG="ROOT/one/a:ROOT/two/b:ROOT/three/c",
    ),
    "a link to a kubeconfig elsewhere": Shape(
        lambda lab: Scene(
            {
                "real/config": kubeconfig(
                    {"server": lab.tls.url, "certificate-authority": "ca.crt"}, {"token": "mine"}
                ),
                "real/ca.crt": lab.other_authority.certificate,
                f"{HOME}/ca.crt": lab.authority.certificate,
            },
            links={KUBECONFIG: "real/config"},
        )
    ),
}
