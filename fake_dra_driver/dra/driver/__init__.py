"""A whole driver from one class: what an author says about a device, behind both protocols of DRA.

- ``driver``: ``Driver``, the class to derive from; ``device``: what a node has; ``config``: what claims may say;
  ``allocated``: a device that a claim has.
- ``node``: what is done for claims on a node, and kept of it.
- ``parameters``: the kind in which claims of classic DRA say it; ``classic``, ``classicshortage``, ``demand``: which
  devices they get then, and what people are told; ``classichandle``, ``helddevices``: how the node learns of it.
"""
