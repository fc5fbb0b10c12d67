"""Random kubeconfigs: several files that complete, contradict and lack each other, in folders of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from tests.integration.kubeconfig.authority import Authority
from tests.integration.kubeconfig.lab import FOLDER, HOME, Document, Lab, Scene, encoded
from tests.integration.kubeconfig.shapes.shape import certificate

__all__ = ["scenes"]

_FOLDERS: Final = (HOME, FOLDER, f"{HOME}/one", "two")
_MAIN_FILES: Final = ("config", "more", "last")

_Part = tuple[str, str, Document]
"""An entry: its list, its name and its fields."""
_Choice = Callable[[Lab], Document]
_SERVERS: Final[Sequence[_Choice]] = (
    lambda lab: {"server": lab.tls.url},
    lambda lab: {"server": f"{lab.tls6.url}/prefix"},
    lambda lab: {"server": lab.second.url},
    lambda lab: {"server": lab.http.url},
    lambda lab: {"server": lab.http6.authority},
    lambda lab: {"server": lab.stranger.url},
    lambda lab: {"server": lab.misnamed.url, "tls-server-name": "kube.test"},
    lambda lab: {"server": lab.far, "proxy-url": lab.proxy.url},
    lambda _: {},
)
_TRUST: Final[Sequence[_Choice]] = (
    lambda lab: {"certificate-authority-data": encoded(lab.authority.certificate)},
    lambda lab: {"certificate-authority-data": encoded(lab.authority.certificate)},
    lambda _: {"certificate-authority": "ca.crt"},
    lambda _: {"certificate-authority": "../two/ca.crt"},
    lambda _: {"insecure-skip-tls-verify": True},
    lambda _: {},
)
_IDENTITIES: Final[Sequence[_Choice]] = (
    lambda _: {"token": "inline"},
    lambda _: {"tokenFile": "token"},
    lambda _: {"tokenFile": f"ROOT/{HOME}/token"},
    lambda _: {"username": "alice", "password": "secret"},
    certificate,
    lambda _: {"client-certificate": "alice.crt", "client-key": "alice.key"},
    lambda lab: {"client-certificate": "alice.crt", "client-key-data": encoded(lab.alice.key)},
    lambda _: {"as": "bob", "as-groups": ["one", "two"], "as-user-extra": {"a/b": ["c"]}},
    lambda _: {"as-uid": "1"},
)


@st.composite
def scenes(draw: st.DrawFn, lab: Lab) -> Scene:
    """What a program finds: up to three kubeconfigs, and KUBECONFIG or ``--kubeconfig``.

    A context with its cluster and user, and the current context, are spread over the files, mostly all of them; so are
    other entries, some of the same names, which win where their file comes first.
    """
    paths = [f"{draw(st.sampled_from(_FOLDERS))}/{name}" for name in _MAIN_FILES[: draw(st.integers(1, 3))]]
    documents: dict[str, dict[str, Any]] = {path: {"apiVersion": "v1", "kind": "Config"} for path in paths}
    parts = [*_whole(draw, lab), *draw(st.lists(st.one_of(_clusters(lab), _users(lab), _contexts()), max_size=3))]
    for kind, name, fields in parts:
        _add(documents[draw(st.sampled_from(paths))], kind, name, fields)
    documents[draw(st.sampled_from(paths))]["current-context"] = "a" if _mostly(draw) else "b"
    files: dict[str, Any] = dict(documents)
    for folder in _FOLDERS:
        if _mostly(draw):
            files |= _keys(lab.authority if _mostly(draw) else lab.other_authority, lab, folder)
    if not _mostly(draw):
        return Scene(files, {}, [f"--kubeconfig=ROOT/{draw(st.sampled_from(paths))}"])
    named = draw(st.permutations([f"ROOT/{path}" for path in paths]))
    extra = draw(st.lists(st.sampled_from(["ROOT/gone", "", *named]), max_size=2))
    return Scene(files, {"KUBECONFIG": ":".join(draw(st.permutations([*named, *extra])))})


def _whole(draw: st.DrawFn, lab: Lab) -> Sequence[_Part]:
    """What a context needs, mostly."""
    context = ("contexts", "a", {"cluster": "a", "user": "a"})
    parts = [context, *(draw(made.map(lambda part: (part[0], "a", part[2]))) for made in (_clusters(lab), _users(lab)))]
    return parts if _mostly(draw) else draw(st.permutations(parts))[1:]


def _add(document: dict[str, Any], kind: str, name: str, fields: Document) -> None:
    """Adds an entry where the list has none of that name."""
    entries = document.setdefault(kind, [])
    if all(entry["name"] != name for entry in entries):
        entries.append({"name": name, kind.removesuffix("s"): fields})


def _mostly(draw: st.DrawFn) -> bool:
    return draw(st.integers(1, 8)) != 8  # the last, since the simplest is what is found first


def _keys(authority: Authority, lab: Lab, folder: str) -> Mapping[str, bytes | str]:
    """Files that kubeconfigs in that folder, and in no other, name by relative paths."""
    return {
        f"{folder}/ca.crt": authority.certificate,
        f"{folder}/token": f"of {folder}\n",
        f"{folder}/alice.crt": lab.alice.certificate,
        f"{folder}/alice.key": lab.alice.key,
    }


def _clusters(lab: Lab) -> st.SearchStrategy[_Part]:
    return st.tuples(st.just("clusters"), _names(), _merged(lab, _SERVERS, _TRUST))


def _users(lab: Lab) -> st.SearchStrategy[_Part]:
    """Mostly one way to say who the user is; several may exclude each other."""
    one, two = _merged(lab, _IDENTITIES), _merged(lab, _IDENTITIES, _IDENTITIES)
    return st.tuples(st.just("users"), _names(), st.one_of(one, one, two))


def _contexts() -> st.SearchStrategy[_Part]:
    fields = st.fixed_dictionaries({"cluster": _names(), "user": _names()})
    return st.tuples(st.just("contexts"), _names(), fields)


def _names() -> st.SearchStrategy[str]:
    return st.sampled_from(["a", "b"])


def _merged(lab: Lab, *choices: Sequence[_Choice]) -> st.SearchStrategy[Document]:
    """One of each."""
    parts = [st.sampled_from(options) for options in choices]
    return st.tuples(*parts).map(lambda chosen: {key: value for part in chosen for key, value in part(lab).items()})
