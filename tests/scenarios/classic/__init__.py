"""The scenarios of classic DRA, in which the driver allocates."""
