"""Defaults, validation and admission of the built-in kinds, a module for each group of them; ``bykind`` lists them."""
