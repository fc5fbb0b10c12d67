"""The Fake devices on a node, in either mode of DRA: what ``dra.node`` and ``dra.nodestate`` have to know of them.

- ``preparedmodel``: what a device is to containers, and in the checkpoint; ``planning``: what becomes of what a claim
  holds; ``prepared``: the values.
- ``published``: what the NodeAllocationState of a node lists as prepared.
"""
