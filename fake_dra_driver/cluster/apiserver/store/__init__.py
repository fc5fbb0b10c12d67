"""The stored objects with their revisions, and what the server itself sets on each of them."""
