"""The environment of a test of settings: none of the variables that any setting reads."""

import pytest

from fake_dra_driver.driver.programs.settings import ControllerSettings, KubeletPluginSettings, SetNasStatusSettings
from fake_dra_driver.packaging.settings import GenerateSettings
from fake_dra_driver.settings import settings_of


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (ControllerSettings, KubeletPluginSettings, SetNasStatusSettings, GenerateSettings):
        for setting in settings_of(model):
            for variable in setting.variables:
                monkeypatch.delenv(variable, raising=False)
