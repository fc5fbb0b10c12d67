"""Paths and ports of containers, as they are on this machine."""

from pathlib import Path

import pytest

from fake_dra_driver.cluster.kubelet.containersetup.locality import Locality
from fake_dra_driver.cluster.kubelet.pod import Container

MOUNTS = [
    {"name": "data", "mountPath": "/data"},
    {"name": "data", "mountPath": "/data/deep/", "subPath": "sub"},
    {"name": "absent", "mountPath": "/absent"},
    {"name": "own", "mountPath": "/kubelet/plugins/own"},
    {"name": "elsewhere", "mountPath": "/cache/x"},
]
HERE = Locality.of(
    Container.model_validate({"name": "ctr0", "volumeMounts": MOUNTS}),
    {"data": Path("/real"), "own": Path("/node/kubelet/plugins/own"), "elsewhere": Path("/node/volumes/x")},
    {8080: 20001, 80: 20002},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", "/real"),
        ("/data/", "/real/"),
        ("/data/a b", "/real/a b"),
        ("/data/deep/x", "/real/sub/x"),
        ("--dir=/data/x", "--dir=/real/x"),
        ("DIR=/data=/data", "DIR=/data=/data"),
        ("/database", "/database"),
        ("/absent/x", "/absent/x"),
        ("cat /data/x", "cat /data/x"),
        ("x/data", "x/data"),
        ("/data/../etc", "/data/../etc"),
        ("/data/deep/../x", "/real/x"),
        ("--dir=/data/../../etc", "--dir=/data/../../etc"),
        ("/other/../data/x", "/real/x"),
        ("", ""),
    ],
)
def test_a_text_that_is_a_path_in_a_mount(text: str, expected: str) -> None:
    assert HERE.text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--plugins=/kubelet/plugins", "--plugins=/node/kubelet/plugins"),
        ("/kubelet/plugins/", "/node/kubelet/plugins/"),
        ("/kubelet/plugins/own/a", "/node/kubelet/plugins/own/a"),
        ("/kubelet/plugins/other", "/kubelet/plugins/other"),
        ("/kubelet", "/kubelet"),
        ("/cache", "/cache"),
        ("/", "/"),
    ],
)
def test_a_text_that_is_the_folder_of_a_mount(text: str, expected: str) -> None:
    assert HERE.text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", "127.0.0.1:20001"),
        ("--listen=:8080", "--listen=127.0.0.1:20001"),
        ("0.0.0.0:8080", "127.0.0.1:20001"),
        ("--a=[::]:80", "--a=127.0.0.1:20002"),
        ("--b=10.0.0.1:8080", "--b=10.0.0.1:8080"),
        (":18080", ":18080"),
        ("8080", "8080"),
        ("--c=:9090", "--c=:9090"),
        ("a:b:80", "a:b:80"),
    ],
)
def test_a_text_that_ends_in_a_port(text: str, expected: str) -> None:
    assert HERE.text(text) == expected


def test_a_container_without_mounts_and_ports_has_its_texts_as_they_are() -> None:
    assert Locality().text("--a=/data/x:8080") == "--a=/data/x:8080"
