"""What ``status`` knows of claims in structured DRA (Kubernetes 1.32 and later)."""
