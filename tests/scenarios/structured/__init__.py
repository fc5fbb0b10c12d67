"""The scenarios of structured DRA, in which the scheduler allocates."""
