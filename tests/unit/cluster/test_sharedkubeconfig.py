"""The context of a cluster in a kubeconfig of the user's own."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.cluster import ClusterError, sharedkubeconfig
from fake_dra_driver.cluster.apiserver.http.yamlbody import read_yaml
from fake_dra_driver.cluster.sharedkubeconfig import (
    add_context,
    check_shared,
    folder_of_context,
    remove_context,
    remove_dead_contexts,
)

USERS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "real", "cluster": {"server": "https://example.com"}}],
    "contexts": [{"name": "real", "context": {"cluster": "real", "user": "me", "namespace": "mine"}}],
    "users": [{"name": "me", "user": {"token": "secret"}}],
    "current-context": "real",
}


def _cluster(folder: Path, name: str) -> Path:
    """The kubeconfig of a cluster."""
    (folder / name).mkdir()
    path = folder / name / "kubeconfig"
    config = {
        "clusters": [{"name": "embedded", "cluster": {"server": f"https://{name}"}}],
        "users": [{"name": "embedded", "user": {"token": name}}],
    }
    path.write_text(json.dumps(config))
    return path


def _file(folder: Path, content: object = None) -> Path:
    path = folder / "config"
    if content is not None:
        path.write_text(yaml.safe_dump(content))
    return path


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_a_file_is_as_before_when_the_cluster_has_ended(tmp_path: Path) -> None:
    path, kubeconfig = _file(tmp_path, USERS), _cluster(tmp_path, "one")
    assert add_context(path, kubeconfig) == "fake-dra-driver-cluster"
    config = _read(path)
    assert config["current-context"] == "fake-dra-driver-cluster"
    assert [each["name"] for each in config["contexts"]] == ["real", "fake-dra-driver-cluster"]
    assert config["clusters"][1]["cluster"]["server"] == "https://one"
    assert config["users"][1]["user"] == {"token": "one"}
    assert folder_of_context([path]) == kubeconfig.parent
    remove_context(path, kubeconfig.parent)
    assert _read(path) == USERS
    assert list(tmp_path.glob("*.lock")) == []


def test_a_file_that_was_not_there_is_gone_again(tmp_path: Path) -> None:
    path, kubeconfig = tmp_path / "new/config", _cluster(tmp_path, "one")
    add_context(path, kubeconfig)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    remove_context(path, kubeconfig.parent)
    assert not path.exists()
    remove_context(path, kubeconfig.parent)


def test_a_link_stays_one(tmp_path: Path) -> None:
    path = _file(tmp_path, USERS)
    link = tmp_path / "link"
    link.symlink_to(path)
    add_context(link, _cluster(tmp_path, "one"))
    assert link.is_symlink()
    assert len(_read(path)["contexts"]) == 2


def test_several_clusters(tmp_path: Path) -> None:
    path, one, two = _file(tmp_path, USERS), _cluster(tmp_path, "one"), _cluster(tmp_path, "two")
    assert [add_context(path, one), add_context(path, two)] == ["fake-dra-driver-cluster", "fake-dra-driver-cluster-2"]
    remove_context(path, two.parent)
    assert _read(path)["current-context"] == "fake-dra-driver-cluster"
    assert folder_of_context([path]) == one.parent


def test_what_the_user_changes_meanwhile_stays(tmp_path: Path) -> None:
    path, one = _file(tmp_path, USERS), _cluster(tmp_path, "one")
    add_context(path, one)
    config = _read(path)
    config["current-context"] = "real"
    config["contexts"].append({"name": "third", "context": {"cluster": "real", "user": "me"}})
    _file(tmp_path, config)
    assert folder_of_context([path]) is None
    remove_context(path, one.parent)
    assert [each["name"] for each in _read(path)["contexts"]] == ["real", "third"]
    assert _read(path)["current-context"] == "real"


def test_a_cluster_that_was_killed(tmp_path: Path) -> None:
    path, one = _file(tmp_path, USERS), _cluster(tmp_path, "one")
    add_context(path, one)
    one.unlink()
    one.parent.rmdir()
    # The next one takes its place.
    two = _cluster(tmp_path, "two")
    assert add_context(path, two) == "fake-dra-driver-cluster"
    assert len(_read(path)["contexts"]) == 2
    two.unlink()
    two.parent.rmdir()
    assert [remove_dead_contexts(path), remove_dead_contexts(path)] == [True, False]
    assert {**_read(path), "current-context": "real"} == USERS


def test_of_several_files_the_first_says_which_context(tmp_path: Path) -> None:
    path, other, one = _file(tmp_path), tmp_path / "other", _cluster(tmp_path, "one")
    add_context(path, one)
    other.write_text(yaml.safe_dump({**USERS, "current-context": ""}))
    broken = tmp_path / "broken"
    broken.write_text("- a")
    assert folder_of_context([broken, tmp_path / "missing", other, path]) == one.parent
    other.write_text(yaml.safe_dump(USERS))
    assert folder_of_context([other, path]) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "config is no kubeconfig: it cannot be read as YAML"),
        ("- a", "config is no kubeconfig: it has no lists of clusters, contexts and users"),
        ("kind: Pod", "config is no kubeconfig, but something else"),
        ("pools: []", "config is no kubeconfig, but something else"),
        ("clusters: [a]", "config is no kubeconfig: it has no lists of clusters, contexts and users"),
    ],
)
def test_what_is_no_kubeconfig(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    for work in (lambda: check_shared(path), lambda: add_context(path, _cluster(tmp_path, "one"))):
        with pytest.raises(ClusterError, match=said):
            work()
    assert path.read_text() == text


def test_another_program_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharedkubeconfig, "_LOCK_SECONDS", 0.0)
    path = _file(tmp_path, USERS)
    (tmp_path / "config.lock").touch()
    with pytest.raises(ClusterError, match=r"config is locked by another program: delete .*config\.lock if none is"):
        add_context(path, _cluster(tmp_path, "one"))
    assert _read(path) == USERS


def test_the_first_cluster_ends_before_the_second(tmp_path: Path) -> None:
    path, one, two = _file(tmp_path, USERS), _cluster(tmp_path, "one"), _cluster(tmp_path, "two")
    three = _cluster(tmp_path, "three")
    for each in (one, two, three):
        add_context(path, each)
    remove_context(path, two.parent)
    remove_context(path, one.parent)
    assert _read(path)["current-context"] == "fake-dra-driver-cluster-3"
    remove_context(path, three.parent)
    assert _read(path) == USERS


def test_several_clusters_were_killed(tmp_path: Path) -> None:
    path = _file(tmp_path, USERS)
    for name in ("one", "two"):
        add_context(path, _cluster(tmp_path, name))
    for name in ("one", "two"):
        (tmp_path / name).rename(tmp_path / f"{name}-gone")
    assert remove_dead_contexts(path)
    assert _read(path) == USERS


def test_contexts_that_the_user_has_renamed_or_added(tmp_path: Path) -> None:
    path, one = _file(tmp_path, USERS), _cluster(tmp_path, "one")
    name = add_context(path, one)
    config = _read(path)
    config["contexts"][1]["name"] = config["current-context"] = "mine"
    config["contexts"].append({"name": "dev", "context": {"cluster": name, "user": name, "namespace": "dev"}})
    _file(tmp_path, config)
    remove_context(path, one.parent)
    assert _read(path) == USERS


def test_what_go_would_read_otherwise_stays_a_text(tmp_path: Path) -> None:
    """As kubectl has written it."""
    path, one = tmp_path / "config", _cluster(tmp_path, "one")
    path.write_text(
        "apiVersion: v1\n"
        "kind: Config\n"
        "current-context: 'y'\n"
        "clusters:\n"
        '- {name: "8e10", cluster: {server: "https://x"}}\n'
        "contexts:\n"
        '- {name: "y", context: {cluster: "8e10", user: me}}\n'
        "users:\n"
        '- {name: me, user: {token: "123e45", auth-provider: {config: {expiry: 2024-01-02T03:04:05Z}}}}\n'
    )
    before, _ = read_yaml(path.read_bytes())
    add_context(path, one)
    remove_context(path, one.parent)
    assert read_yaml(path.read_bytes()) == (before, [])
    assert before["users"][0]["user"]["auth-provider"]["config"] == {"expiry": "2024-01-02T03:04:05Z"}
