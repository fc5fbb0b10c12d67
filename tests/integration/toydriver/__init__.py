"""The example of docs/embedded-cluster.md: a driver of one's own, and its test."""
