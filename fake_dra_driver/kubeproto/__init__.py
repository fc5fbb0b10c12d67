"""Kubernetes' kinds as protobuf: the types of their messages, and how objects, as JSON has them, become messages.

``messages`` has the types, made of ``kubernetes.binpb`` (``proto/kubernetes``, compiled by ``hack/generate-pb.sh``),
``writing`` makes messages, ``wire`` puts ready parts of messages together. The embedded API server also reads them
(``cluster.apiserver.http.protobuf``). Follows k8s.io/apimachinery/pkg/runtime/serializer/protobuf.
"""
