"""``python -m fake_dra_driver``: the program, where it is not installed."""

import sys

from fake_dra_driver.entry import main

try:
    status = main()
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] == "fake_dra_driver":
        raise
    sys.exit(
        f"fake-dra-driver: the library {error.name} is not installed for {sys.executable}. "
        "Run make install, then .venv/bin/fake-dra-driver"
    )

sys.exit(status)
