"""Hostile input: what makes no sense is refused where it comes in, in words, and nothing else is affected."""
