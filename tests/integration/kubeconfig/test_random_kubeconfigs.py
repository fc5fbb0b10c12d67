"""For kubeconfigs as they come, ``status`` asks whom kubectl asks, or refuses where kubectl refuses."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.crash.bounds import examples
from tests.integration.kubeconfig.lab import Lab
from tests.integration.kubeconfig.programs import run_kubectl, run_status
from tests.integration.kubeconfig.random_scenes import scenes


@pytest.mark.kubectl
@examples(few=40, many=2000)
@given(data=st.data())
def test_status_asks_whom_kubectl_asks(lab: Lab, data: st.DataObject) -> None:
    scene = data.draw(scenes(lab))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        scene.set_up(root)
        kubectl = run_kubectl(lab, scene, root)
        status = run_status(lab, scene, root)
        assert status.outcome == kubectl.outcome
        assert "Traceback" not in status.stderr
        assert list((root / "tmp").iterdir()) == [], "files were left in the temporary folder"
