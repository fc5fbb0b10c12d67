"""A node in one object, its NodeAllocationState: its devices, who holds them, what is prepared. For any driver.

- ``ledgerlayout``: the part of the seam that classic DRA needs: where the ledger of a node is.
"""
