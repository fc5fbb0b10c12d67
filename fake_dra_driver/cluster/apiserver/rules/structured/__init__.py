"""Defaults, gated fields and rules of structured DRA: the kinds of resource.k8s.io in v1, v1beta2 and v1beta1.

Follows k8s.io/kubernetes/pkg/apis/resource/{v1,validation} and pkg/registry/resource of 1.37: fields and messages are
theirs. All versions are judged in the shape of v1, in which they are stored; a real 1.32 names the fields of a request
without ``exactly``. Not here: what CEL expressions say, request policies, node allocatable resources, what 1.37 has in
alpha, and who may write which part of a claim's status (there is no authorization).
"""
