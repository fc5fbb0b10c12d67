"""The functions of CEL, by library: the standard ones, those of cel-go, and those of Kubernetes.

An environment is made of the libraries that a version of Kubernetes has; ``kubernetes_libraries`` puts them together.
"""
