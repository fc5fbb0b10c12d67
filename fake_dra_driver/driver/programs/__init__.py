"""The driver's programs: each puts its parts together from its settings, which go no further, and runs them."""
