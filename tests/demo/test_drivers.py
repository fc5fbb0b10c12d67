"""The drivers of demo/drivers are as short as the documentation says, and what they generate is up to date."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DRIVERS = ROOT / "demo/drivers"


@pytest.mark.parametrize(("driver", "most"), [("lamp", 60), ("fpga", 120), ("nic", 130)])
def test_a_driver_is_short(driver: str, most: int) -> None:
    assert len((DRIVERS / driver / f"{driver}.py").read_text().splitlines()) <= most


@pytest.mark.parametrize("driver", ["lamp", "fpga", "nic"])
class TestFiles:
    def test_what_is_generated_is_up_to_date(self, driver: str) -> None:
        command = [sys.executable, f"{driver}.py", "generate", "--check"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=DRIVERS / driver, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_its_image_is_what_its_chart_asks_for(self, driver: str) -> None:
        values = yaml.safe_load((DRIVERS / driver / f"deployments/helm/{driver}-driver/values.yaml").read_text())
        dockerfile = (DRIVERS / driver / "Dockerfile").read_text()
        assert values["image"]["repository"].endswith(f"{driver}-driver")
        assert f'image.title="{driver}-driver"' in dockerfile
        assert re.search(rf"^COPY --chmod=755 {driver}\.py \S+/bin/{driver}-driver$", dockerfile, re.MULTILINE)
