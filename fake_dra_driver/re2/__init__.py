"""Regular expressions of strangers: RE2's syntax, as Go's package regexp reads it, in time linear in the text.

Python's own ``re`` will not do: it tries all ways to match, which may take longer than anyone lives, it accepts what no
API server accepts, such as look-ahead, and refuses what they do, such as ``\\pL`` or ``[[:alpha:]]``. The binding to
Google's RE2 would be an answer if it had wheels for every Python and libc that the rest of this project runs on.

Unlike in Go, classes of scripts such as ``\\p{Greek}`` are refused: Python knows the general categories alone.
"""

from fake_dra_driver.re2.matcher import Pattern, compile_pattern
from fake_dra_driver.re2.syntax import PatternError

__all__ = ["Pattern", "PatternError", "compile_pattern"]
