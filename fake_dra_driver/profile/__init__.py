"""The command ``profile``: what a DeviceProfile in a file makes of a node, or what is wrong with it, without a cluster.

``source`` finds profiles in files, ``node`` says what a node gets of one and ``report`` shows it; ``program`` is what
the commands do.
"""
