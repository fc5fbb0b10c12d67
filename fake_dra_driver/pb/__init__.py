"""gRPC stubs made from ``proto/*.proto`` by ``hack/generate-pb.sh``. Only ``dra`` (and a kubelet of our own) imports them."""
