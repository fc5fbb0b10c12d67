"""Kubernetes itself: ``meta`` has what every kind shares, ``core`` the built-in kinds that a driver reads,
``coordination`` the Lease of leader election, ``quantity`` how amounts are written.
"""
