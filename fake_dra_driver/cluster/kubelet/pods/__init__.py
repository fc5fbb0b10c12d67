"""The life of the pods of a node: what to start and stop and when, probes, restarts, and what their status says."""
