"""``python -m fake_dra_driver``: the program, where it is not installed."""

import sys

from fake_dra_driver.cli import main

sys.exit(main())
