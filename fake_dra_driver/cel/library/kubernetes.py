"""Which libraries a version of Kubernetes compiles expressions with.

Follows pkg/cel/environment/base.go of k8s.io/apiserver, which adds libraries from version to version: new objects are
compiled with those of the minor version before, stored ones with all.
"""

from dataclasses import dataclass
from functools import lru_cache

from fake_dra_driver.cel.library.lists import INCLUDES, LISTS, MORE_LISTS
from fake_dra_driver.cel.library.loops import BINDINGS, TWO_VARIABLES
from fake_dra_driver.cel.library.namedformats import NAMED_FORMATS
from fake_dra_driver.cel.library.network import NETWORK
from fake_dra_driver.cel.library.optionals import OPTIONALS
from fake_dra_driver.cel.library.quantities import QUANTITIES
from fake_dra_driver.cel.library.regex import REGEX
from fake_dra_driver.cel.library.semvers import EARLY_SEMVERS, SEMVERS
from fake_dra_driver.cel.library.sets import SETS
from fake_dra_driver.cel.library.standard import STANDARD, STANDARD_WITHOUT_MIXED_ORDER
from fake_dra_driver.cel.library.strings import EARLY_STRINGS, STRINGS
from fake_dra_driver.cel.library.urls import URLS
from fake_dra_driver.cel.overload import Library, merged

__all__ = ["ALL_FEATURES", "Features"]


@dataclass(frozen=True)
class Features:
    """What can be used in expressions, besides what always could."""

    optionals: bool = True
    """Optional values, quantities, and ``1 < 1.5`` (from the version 1.28 of the libraries)."""
    texts_and_sets: bool = True
    """``format``, ``sets``, and constants that are checked (1.29)."""
    network: bool = True
    """IP addresses and networks (1.30)."""
    named_formats: bool = True
    """``format.dns1123Label()`` and the like (1.31)."""
    two_variables: bool = True
    """``list.all(index, value, ...)`` and ``transformMap`` (1.32)."""
    semvers: bool = True
    """``semver`` outside of the selectors of devices, and with ``normalize`` (1.33)."""
    more_lists: bool = True
    """``slice``, ``flatten``, ``sort`` and the like (1.34)."""
    includes: bool = True
    """``values.includes(value)`` (1.37)."""

    @lru_cache  # noqa: B019  # there are a handful of them
    def library(self, *, has_bindings: bool = False, has_early_semvers: bool = False) -> Library:
        """All that expressions can use.

        Args:
            has_bindings: with ``cel.bind``, which only some uses of CEL have.
            has_early_semvers: with ``semver`` in any case.
        """
        semvers = SEMVERS if self.semvers else EARLY_SEMVERS
        chosen = (
            (STANDARD if self.optionals else STANDARD_WITHOUT_MIXED_ORDER, True),
            (URLS, True),
            (REGEX, True),
            (LISTS, True),
            (STRINGS if self.texts_and_sets else EARLY_STRINGS, True),
            (OPTIONALS, self.optionals),
            (QUANTITIES, self.optionals),
            (SETS, self.texts_and_sets),
            (NETWORK, self.network),
            (NAMED_FORMATS, self.named_formats),
            (TWO_VARIABLES, self.two_variables),
            (semvers, self.semvers or has_early_semvers),
            (MORE_LISTS, self.more_lists),
            (INCLUDES, self.includes),
            (BINDINGS, has_bindings),
        )
        return merged(library for library, is_chosen in chosen if is_chosen)


ALL_FEATURES = Features()
