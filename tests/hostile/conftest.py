"""As in the crash tests, the driver logs nothing: no person reads the log of thousands of tries."""

from tests.crash.conftest import silence

__all__ = ["silence"]
