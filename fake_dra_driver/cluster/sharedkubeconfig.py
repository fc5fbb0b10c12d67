"""A cluster's context in a kubeconfig that is the user's own, as kind and minikube write theirs.

The context becomes the current one as long as the cluster runs; then the one before it is that again. The entry of the
cluster says to which folder it belongs, in an extension, by which the other commands find the cluster. What else is in
the file stays as it is, apart from comments, which kubectl does not keep either. Like kubectl, this locks the file with
one that is called like it and ``.lock`` (k8s.io/client-go/tools/clientcmd).
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.yamldumper import dump_yaml

__all__ = ["CONTEXT", "add_context", "check_shared", "folder_of_context", "remove_context", "remove_dead_contexts"]

CONTEXT: Final = "fake-dra-driver-cluster"
"""Name of context, cluster and user; of a second cluster that runs at the same time: with -2."""
_EXTENSION: Final = "fake-dra-driver-cluster"
_FOLDER, _BEFORE = "folder", "contextBefore"
_LISTS: Final = ("clusters", "contexts", "users")
_FIELDS: Final = frozenset({"apiVersion", "kind", "preferences", "current-context", *_LISTS})
"""Of which a kubeconfig has at least one."""
_LOCK_SECONDS, _LOCK_POLL_SECONDS = 5.0, 0.05

Config = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Takes times for texts, as kubectl does: they are written as they were read."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def add_context(path: Path, kubeconfig: Path) -> str:
    """Adds the context of a cluster and makes it the current one; those of clusters that are gone are removed. Blocks.

    Args:
        path: the file, which is made if it is missing.
        kubeconfig: the cluster's own, in the cluster's folder.

    Returns:
        The name of the context.

    Raises:
        ClusterError: the file is no kubeconfig, or another program holds its lock.
        OSError: it cannot be written.
    """
    own = _read(kubeconfig)
    with _locked(path):
        config = _read(path)
        _remove(config, lambda folder: not folder.exists())
        name = _free_name(config)
        before = str(config.get("current-context") or "")
        note = {"name": _EXTENSION, "extension": {_FOLDER: str(kubeconfig.parent), _BEFORE: before}}
        entries = {
            "clusters": {"cluster": {**own["clusters"][0]["cluster"], "extensions": [note]}},
            "contexts": {"context": {"cluster": name, "user": name}},
            "users": {"user": own["users"][0]["user"]},
        }
        for each in _LISTS:
            config[each] = [*(config.get(each) or ()), {"name": name, **entries[each]}]
        config["current-context"] = name
        _write(path, {"apiVersion": "v1", "kind": "Config", **config})
    return name


def check_shared(path: Path) -> None:
    """Raises ClusterError or OSError where ``add_context`` would, as far as that can be known. Blocks."""
    _read(path)


def remove_context(path: Path, folder: Path) -> None:
    """Removes the context of the cluster of a folder; it need not be there. Blocks. Raises as the above."""
    _remove_from(path, lambda each: each == folder)


def remove_dead_contexts(path: Path) -> bool:
    """Removes the contexts of clusters that are gone. Returns whether there were any. Blocks. Raises as the above."""
    return _remove_from(path, lambda folder: not folder.exists())


def folder_of_context(files: Sequence[Path]) -> Path | None:
    """The folder of the cluster of the current context, as kubectl finds that in several files; None: it is another's.

    Blocks. What is no kubeconfig counts as another's.
    """
    configs = []
    for file in files:
        with contextlib.suppress(ClusterError, OSError):
            configs.append(_read(file))
    current = next((config["current-context"] for config in configs if config.get("current-context")), None)
    context = _entry(configs, "contexts", "context", current)
    return _folder_of(_entry(configs, "clusters", "cluster", context.get("cluster")))


def _entry(configs: Sequence[Config], kind: str, member: str, name: object) -> Mapping[str, Any]:
    for config in configs:
        for each in config.get(kind) or ():
            if each.get("name") == name:
                return dict(each.get(member) or {})
    return {}


def _remove_from(path: Path, is_meant: Any) -> bool:
    if not path.exists():
        return False
    with _locked(path):
        config = _read(path)
        if not _remove(config, is_meant):
            return False
        if any(config.get(each) for each in _LISTS):
            _write(path, config)
        else:  # nothing else was in it
            path.resolve().unlink()
    return True


def _remove(config: Config, is_meant: Any) -> bool:
    """Removes clusters whose folder is meant, with all contexts that name them. Returns whether there were any."""
    notes = {each.get("name"): _note(each.get("cluster") or {}) for each in config.get("clusters") or ()}
    gone = {name: note for name, note in notes.items() if note is not None and is_meant(Path(note[_FOLDER]))}
    contexts = {each.get("name"): (each.get("context") or {}).get("cluster") for each in config.get("contexts") or ()}
    # A context may have been renamed, or be one that the user has added.
    before = {name: gone[cluster].get(_BEFORE, "") for name, cluster in contexts.items() if cluster in gone}
    removed: Mapping[str, Mapping[Any, object]] = {"clusters": gone, "users": gone, "contexts": before}
    for kind in _LISTS:
        if kind in config:
            config[kind] = [entry for entry in config[kind] or () if entry.get("name") not in removed[kind]]

    def still_there(name: Any) -> Any:
        """The context that was the current one before this one, as far back as the first that stays."""
        seen = set()
        while name in before and name not in seen:
            seen.add(name)
            name = before[name]
        return name if name in contexts and name not in before else ""

    for note in (note for name, note in notes.items() if note is not None and name not in gone):
        if note.get(_BEFORE) in before:
            note[_BEFORE] = still_there(note[_BEFORE])
    if (current := config.get("current-context")) in before:
        config["current-context"] = still_there(current)
    return bool(gone)


def _note(cluster: Mapping[str, Any]) -> dict[str, str] | None:
    """What the extension of a cluster says, as it is in the file; None: it is not ours."""
    for each in cluster.get("extensions") or ():
        if each.get("name") == _EXTENSION and _FOLDER in (each.get("extension") or {}):
            note: dict[str, str] = each["extension"]
            return note
    return None


def _folder_of(cluster: Mapping[str, Any]) -> Path | None:
    note = _note(cluster)
    return Path(note[_FOLDER]) if note is not None else None


def _free_name(config: Config) -> str:
    taken = {entry.get("name") for each in _LISTS for entry in config.get(each) or ()}
    names = (CONTEXT if number == 1 else f"{CONTEXT}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _read(path: Path) -> Config:
    """What is in the file; nothing where there is none. Raises ClusterError or OSError."""
    if not path.exists():
        return {}
    try:
        config = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterError(f"{path} is no kubeconfig: it cannot be read as YAML") from error
    if not config:
        return {}
    lists = [config.get(each) or () for each in _LISTS] if isinstance(config, dict) else [None]
    if not all(isinstance(each, list | tuple) and all(isinstance(entry, dict) for entry in each) for each in lists):
        raise ClusterError(f"{path} is no kubeconfig: it has no lists of clusters, contexts and users")
    if config.get("kind", "Config") != "Config" or not _FIELDS.intersection(config):
        raise ClusterError(f"{path} is no kubeconfig, but something else")
    return dict(config)


def _write(path: Path, config: Config) -> None:
    """Replaces the file, or what it links to, at once; only its owner can read it."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(dump_yaml(config))
    temporary.replace(target)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{path} is locked by another program: delete {lock} if none is at work on it"
                ) from None
            time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
