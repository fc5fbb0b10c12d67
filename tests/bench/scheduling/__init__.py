"""How fast structured DRA is scheduled: by the allocator alone, in the embedded cluster, and by kube-scheduler."""
