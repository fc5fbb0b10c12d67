"""Nodes without a kubelet plugin, such as those of KWOK: the leading controller says what they have.

- ``selector``: which Nodes are simulated.
- ``fleet``: what each of them has at each moment.
"""
