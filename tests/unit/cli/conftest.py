"""The program's tests start from the same environment as those of the settings."""

from tests.unit.settings.conftest import clean_environment as clean_environment
