"""A node in one object, its NodeAllocationState: its devices, who holds them, what is prepared. For any driver.

- ``layout``: the seam: how a kind of object carries all that. ``ledgerlayout`` is the part of it that the ledger of
  classic DRA needs; ``kind`` is the kind of drivers that have none of their own.
- ``sharing``: devices that several claims have shares of, as far as their capacity goes.
"""
