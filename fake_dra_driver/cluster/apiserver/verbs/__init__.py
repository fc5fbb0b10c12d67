"""What can be done with objects: read, watch, create, update, patch, delete, scale; bind, evict, review.

What a real API server has in k8s.io/apiserver/pkg/registry/generic and pkg/endpoints/handlers. Nothing here knows HTTP.
"""
