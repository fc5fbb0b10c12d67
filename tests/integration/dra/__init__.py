"""The protocol side on real API servers."""
