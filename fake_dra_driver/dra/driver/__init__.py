"""A whole driver from one class: what an author says about a device, behind both protocols of DRA.

- ``driver``: ``Driver``, the class to derive from; ``device``: what a node has; ``config``: what claims may say;
  ``allocated``: a device that a claim has.
- ``node``: what is done for claims on a node, and kept of it.
"""
