"""What is measured of classic DRA, in which the driver allocates, on Kubernetes 1.30.

``docs/performance.md`` says where the Go driver is, which some of the figures stand beside.
"""
