"""Whether a write is admitted: what policies and webhooks say of it, once it is valid."""
