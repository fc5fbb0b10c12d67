"""The driver end to end on the embedded cluster: real processes, real HTTP, real unix sockets.

The tests share one cluster, on one event loop, which has to go on all the time: no test here blocks it. Each test
leaves the cluster as it was (``World.clean_up``).
"""
