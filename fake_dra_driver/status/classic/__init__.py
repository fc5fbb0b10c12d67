"""What ``status`` knows of claims in classic DRA (Kubernetes 1.27 to 1.30)."""
