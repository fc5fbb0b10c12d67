"""The ResourceSlices of many nodes, published from one process: for nodes on which no plugin runs.

A driver implements ``FleetSource``, gives it to a ``FleetPublisher``, and calls ``changed`` for each node. The modules
inside, which may change:

- ``source``: what is asked about the nodes.
- ``encoding``: the slices of a pool as protobuf (``slicemessage``), of which nodes have most in common
  (``devicemessage``).
- ``mark``: what a slice says about itself, so that its metadata is enough; ``plan``: which writes are needed then, and
  ``target``: whether a change matters at all.
- ``writer``: makes them; ``keptfields``: which fields the API server drops.
- ``publisher``: decides when; not while the API server is away (``outage``).
"""

from fake_dra_driver.dra.structured.fleet.publisher import FleetPublisher
from fake_dra_driver.dra.structured.fleet.source import FleetPool, FleetSource, Unchanged

__all__ = ["FleetPool", "FleetPublisher", "FleetSource", "Unchanged"]
