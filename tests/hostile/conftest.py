"""As in the crash tests: thousands of tries fill no log that anybody reads."""

from tests.crash.conftest import silence

__all__ = ["silence"]
