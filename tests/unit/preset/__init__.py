"""The command ``preset``."""
