"""The objects themselves, with their revisions, and what the server stamps on each of them."""
