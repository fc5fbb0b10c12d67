"""Many instances of programs in one process: what they ask of the process, how they run, and who starts them.

A process of Python costs 60 MiB and a second of a processor before it does anything, which is nothing to a node, and
too much for two hundred nodes on one machine. So the embedded cluster starts one process that runs the programs of all
nodes, as tasks of one event loop. ``process`` is what a program knows of that, ``instance`` is one of them at work,
``server`` is the process, and ``protocol`` is what it and its client say to each other. Nothing here knows Kubernetes.
"""
