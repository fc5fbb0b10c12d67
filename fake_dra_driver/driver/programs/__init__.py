"""The driver's programs: each builds its parts from its settings, which go no further, and runs them."""
