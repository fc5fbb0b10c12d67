"""What is measured of structured DRA, in which the scheduler allocates, on Kubernetes 1.37.

The driver's share of it: preparing claims, publishing devices, and the requests that both take.
"""
