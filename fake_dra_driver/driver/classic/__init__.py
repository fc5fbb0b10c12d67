"""The Fake devices behind classic DRA: the controller allocates them, and keeps the ledger in NodeAllocationState."""
