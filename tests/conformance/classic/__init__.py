"""What Kubernetes does until 1.30 and not later: classic DRA (resource.k8s.io/v1alpha2), and a few details."""
