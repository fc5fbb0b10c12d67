"""The project that ``new`` writes, without running it."""
