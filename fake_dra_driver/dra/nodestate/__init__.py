"""A node in one object, its NodeAllocationState: its devices, who holds them, what is prepared. For any driver.

- ``layout``: the seam: how a kind of object carries all that. ``ledgerlayout`` is the part of it that the ledger of
  classic DRA needs; ``kind`` is the kind of drivers that have none of their own.
- ``publisher``: keeps the plugin's part of the object in line with the node. ``nodeparts`` puts it together with what
  prepares claims, and ``published`` tells that what the object says. ``state``: single reads and writes.
- ``abandonedclaims``: how the controller tells the plugin which prepared claims no pod can use.
- ``columns``, ``deviceuse``, ``gauges``: what people see of it. ``sharing``: devices that several claims have.
"""
