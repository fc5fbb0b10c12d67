"""A Dynamic Resource Allocation driver for Kubernetes that offers mock devices, and a framework to write your own."""

__version__ = "0.2.0"
