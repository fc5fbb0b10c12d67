"""What each program loads: every library is memory in every pod, the kubelet plugin's on every node."""

import subprocess
import sys

import pytest

KR8S = {"kr8s", "httpx", "cryptography", "rich"}
"""kr8s, and what comes with it. The controller loads it when it connects, the others only for a kubeconfig."""

CONTROLLERS = {*KR8S, "grpc", "google.protobuf", "jinja2", "fake_dra_driver.dra.node.preparer"}
"""What no controller needs."""


@pytest.mark.parametrize(
    ("modules", "needless"),
    [
        ("driver.programs.controller", CONTROLLERS),
        ("driver.programs.controller, driver.classic.setup", {*CONTROLLERS, "fake_dra_driver.dra.structured.claims"}),
        (
            "driver.programs.controller, driver.structured.setup",
            {*CONTROLLERS, "fake_dra_driver.dra.classic.ledger"},
        ),
        (
            "driver.programs.kubeletplugin",
            {*KR8S, "fake_dra_driver.dra.classic.claims", "fake_dra_driver.driver.classic.setup"},
        ),
        ("driver.programs.webhook", {*CONTROLLERS, "fake_dra_driver.dra.classic"}),
        ("driver.programs.nasstatus", {*KR8S, "grpc", "google.protobuf", "jinja2", "prometheus_client"}),
    ],
)
def test_program_loads_only_what_it_uses(modules: str, needless: set[str]) -> None:
    names = ", ".join(f"fake_dra_driver.{module}" for module in modules.split(", "))
    code = f"import sys, fake_dra_driver.cli, {names}\nprint(sorted({needless!r} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
