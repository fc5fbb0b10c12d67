"""The ResourceSlices of many nodes, published from one process: for nodes whose plugin does not run on them.

- ``source``: what is asked about the nodes.
"""

from fake_dra_driver.dra.structured.fleet.source import FleetPool, FleetSource, Unchanged

__all__ = ["FleetPool", "FleetSource", "Unchanged"]
