"""For kubeconfigs of every shape, the first request of ``status`` goes where kubectl's goes, and says the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.kubeconfig.deviations import DEVIATIONS
from tests.integration.kubeconfig.lab import Lab
from tests.integration.kubeconfig.programs import run_kubectl, run_status
from tests.integration.kubeconfig.shapes import DEFAULT_ADDRESS, SHAPES


def _parameter(name: str) -> Any:
    marks = []
    if DEFAULT_ADDRESS in (SHAPES[name].refusal or ()):
        marks.append(pytest.mark.kubectl(default_address=True))
    if name in DEVIATIONS:
        marks.append(pytest.mark.xfail(reason=DEVIATIONS[name], strict=True))
    return pytest.param(name, marks=marks)


@pytest.mark.kubectl
@pytest.mark.parametrize("name", [_parameter(name) for name in SHAPES])
def test_status_asks_as_kubectl_does(lab: Lab, root: Path, name: str) -> None:
    shape = SHAPES[name]
    scene = shape.scene(lab)
    scene.set_up(root)
    kubectl = run_kubectl(lab, scene, root)
    status = run_status(lab, scene, root)
    assert (kubectl.outcome.call is None) == (shape.refusal is not None), "what the shape says of kubectl"
    assert status.outcome == kubectl.outcome
    assert status.plugin == kubectl.plugin
    assert status.stderr.startswith("fake-dra-driver status: ")
    # What is wrong with a flag takes a heading and more lines, and another exit status.
    assert (status.status, status.stderr.count("\n")) in ((1, 1), (2, 3))
    assert "secret" not in status.stderr
    for words, stderr in (
        (shape.refusal, kubectl.stderr),
        (shape.refusal if shape.ours is None else shape.ours, status.stderr),
    ):
        for word in words or ():
            assert word.replace("ROOT", str(root)).lower() in stderr.lower()
    assert list((root / "tmp").iterdir()) == [], "files were left in the temporary folder"
