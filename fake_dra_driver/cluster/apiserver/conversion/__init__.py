"""Between the versions of a kind: each object is stored in one of them, and read and written in all.

What k8s.io/apimachinery's conversion is to a real API server, on raw objects.
"""
