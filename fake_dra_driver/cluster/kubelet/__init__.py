"""The kubelet of the embedded cluster, one for each simulated node, and the container runtime below it.

A client of the API server like a real one (k8s.io/kubernetes/pkg/kubelet, 1.27 to 1.30), whose containers are processes
of this machine.
"""
