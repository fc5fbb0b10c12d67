"""The names of sockets: the kubelet's usual ones, those of a pod, and whose they are."""

import os
import re
from pathlib import Path
from typing import Final

import pytest

from fake_dra_driver.dra.node.pluginsockets import MAX_PATH_SIZE_BYTES, PluginSockets, unseen

DRIVER: Final = "fake.resource.3-shake.com"
UID: Final = "01234567-89ab-cdef-0123-456789abcdef"
OTHER_UID: Final = "fedcba98-7654-3210-fedc-ba9876543210"
STATIC_UID: Final = "0123456789abcdef0123456789abcdef"
"""Of a static pod."""


def driver_of_length(size: int) -> str:
    return f"{'d' * (size - len('.example.com'))}.example.com"


def test_the_default_paths_are_those_of_the_go_driver() -> None:
    sockets = PluginSockets.of("fake.resource.3-shake.com")
    assert str(sockets.registration) == "/var/lib/kubelet/plugins_registry/fake.resource.3-shake.com.sock"
    assert str(sockets.plugin) == "/var/lib/kubelet/plugins/fake.resource.3-shake.com/plugin.sock"


def test_every_part_of_the_paths_can_be_set() -> None:
    sockets = PluginSockets.of(
        "d",
        registry_folder=Path("/r"),
        plugins_folder=Path("/p"),
        registration_socket_name="r.sock",
        plugin_socket_name="p.sock",
    )
    assert (sockets.registration, sockets.plugin) == (Path("/r/r.sock"), Path("/p/d/p.sock"))


def test_the_names_of_a_pods_plugin_have_its_uid() -> None:
    sockets = PluginSockets.of(DRIVER, pod_uid=UID)
    assert str(sockets.registration) == f"/var/lib/kubelet/plugins_registry/{DRIVER}-{UID}-reg.sock"
    assert str(sockets.plugin) == f"/var/lib/kubelet/plugins/{DRIVER}/dra-{UID}.sock"
    assert sockets.is_shared
    assert not PluginSockets.of(DRIVER).is_shared


@pytest.mark.parametrize(
    ("size", "registration", "plugin"),
    [
        (27, r"d{15}\.example\.com-01234567-.*-reg\.sock", r"dra-01234567-.*\.sock"),
        (28, r"d{16}\.example\.com-[\w-]{11}-reg\.sock", r"dra-01234567-.*\.sock"),
        (36, r"d{24}\.example\.com-[\w-]{11}-reg\.sock", r"dra-01234567-.*\.sock"),
        (37, r"d{25}\.example\.com-[\w-]{11}-reg\.sock", r"dra-[\w-]{11}\.sock"),
        (52, r"d{40}\.example\.com-[\w-]{11}-reg\.sock", r"dra-[\w-]{11}\.sock"),
        (53, r"dra-[\w-]{22}-reg\.sock", r"dra-[\w-]{11}\.sock"),
        (61, r"dra-[\w-]{22}-reg\.sock", r"dra-[\w-]{11}\.sock"),
    ],
)
def test_a_path_that_is_too_long_is_shortened_no_more_than_needed(size: int, registration: str, plugin: str) -> None:
    sockets = PluginSockets.of(driver_of_length(size), pod_uid=UID)
    assert re.fullmatch(registration, sockets.registration.name)
    assert re.fullmatch(plugin, sockets.plugin.name)
    assert all(len(os.fsencode(path)) <= MAX_PATH_SIZE_BYTES for path in (sockets.registration, sockets.plugin))


@pytest.mark.parametrize("size", [20, 45, 60])
def test_shortened_names_tell_pods_and_drivers_apart(size: int) -> None:
    driver = driver_of_length(size)
    found = {
        (sockets.registration, sockets.plugin)
        for name in (driver, f"e{driver[1:]}")
        for uid in (UID, OTHER_UID)
        for sockets in (PluginSockets.of(name, pod_uid=uid),)
    }
    assert len({registration for registration, _ in found}) == len({plugin for _, plugin in found}) == 4


@pytest.mark.parametrize("uid", ["", UID])
@pytest.mark.parametrize("other_uid", ["", OTHER_UID, STATIC_UID, "test"])
@pytest.mark.parametrize("size", [20, 45, 60])
def test_the_sockets_of_other_instances_of_the_driver_are_known(size: int, uid: str, other_uid: str) -> None:
    driver = driver_of_length(size)
    own, other = (PluginSockets.of(driver, pod_uid=each) for each in (uid, other_uid))
    others = [] if own == other else [other]
    for names, found, wanted in (
        ([own.registration, other.registration], own.other_registrations, [each.registration for each in others]),
        ([own.plugin, other.plugin], own.other_plugins, [each.plugin for each in others]),
    ):
        assert found(path.name for path in names) == wanted
        assert found(unseen(path).name for path in names) == [unseen(path) for path in wanted]


@pytest.mark.parametrize(
    "name",
    [
        "example.com.sock",
        f"other.{DRIVER}.sock",
        f"{DRIVER}-reg.sock",
        f"{DRIVER}-more.sock",
        f"{DRIVER}-more-{UID}-reg.sock",
        f"{DRIVER.replace('.', '-')}-{UID}-reg.sock",
        f"{DRIVER}-{UID}-reg.sock.old",
        f"{DRIVER}-{UID}.sock",
        "dra-0123456789abcdefghijkl-reg.sock",
        "checkpoint.json",
    ],
)
@pytest.mark.parametrize("uid", ["", OTHER_UID])
def test_the_sockets_of_other_drivers_are_not_taken_for_ours(name: str, uid: str) -> None:
    sockets = PluginSockets.of(DRIVER, pod_uid=uid)
    assert sockets.other_registrations([name, f".{name[:-1]}"]) == []
    assert sockets.other_plugins([name]) == []


def test_sockets_named_one_by_one_have_no_others() -> None:
    sockets = PluginSockets(registration=Path("/r/a.sock"), plugin=Path("/p/a/plugin.sock"))
    assert sockets.other_registrations(["b.sock", "a.sock"]) == sockets.other_plugins(["b.sock"]) == []
