"""The driver end to end on the embedded cluster: real processes, real HTTP, real unix sockets.

The tests share one cluster, on one event loop; each leaves it as it was (``World.clean_up``).
"""
