"""The command ``new``: a small project for a DRA driver of one's own, whose tests and demo pass as they are.

``names`` says what everything in it is called, ``source`` where it gets this library from, ``program`` writes it. The
files are made from ``templates/newproject``; CRDs, chart and reference by the new driver's own ``generate``.
"""
