"""Stops, faults and random lives: the real controller and the real kubelet plugin lose nothing, and give nothing twice.

Everything runs in one event loop and in simulated time, on the embedded cluster's API server without sockets: a story
of pods and claims takes some 20 milliseconds, so that it can be told again for each position at which something can go
wrong. The processes are the real ones but for what is outside of them: ``process`` cuts their line to the API server,
``disk`` takes away what they have not synced, ``kubernetes`` plays scheduler, claim controller and kubelets.

Each failure names the story and the position; ``python -m pytest tests/crash -k <story>`` tells it again. How random
sequences are reproduced is said in ``test_random_lives``. ``SOAK=1`` (``make soak``) lifts the bounds of ``make test``.
"""
