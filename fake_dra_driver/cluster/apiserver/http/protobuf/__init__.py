"""Kubernetes' kinds as protobuf, which clients in Go send by default, and JSON, which everything else here works on.

``envelope`` is the door; what it needs is imported when the first body comes. ``messages`` has the types of messages,
made of ``kubernetes.binpb`` (``proto/kubernetes``, compiled by ``hack/generate-pb.sh``); ``mapping`` turns a message
into an object and an object into a message; ``special`` knows the messages that JSON does not write as objects. Follows
k8s.io/apimachinery/pkg/runtime/serializer/protobuf.
"""
