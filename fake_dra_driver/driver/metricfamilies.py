"""Every metric of this driver's programs, under the names that they have here."""

from typing import Final

from fake_dra_driver.dra.program import Section, sections
from fake_dra_driver.driver.names import NAMES

__all__ = ["METRICS_PREFIX", "SECTIONS"]

METRICS_PREFIX: Final = NAMES.metrics
"""What the names of this driver's own metrics begin with."""
SECTIONS: tuple[Section, ...] = sections(METRICS_PREFIX)
"""As documentation, dashboard and alerts name them."""
