"""Which devices a claim gets: the allocator of structured DRA."""
