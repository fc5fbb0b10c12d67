"""Sessions of clients in containers: kubectl, kr8s, and clients that mean harm."""
