"""Structured DRA's allocator and the embedded scheduler, held against kube-scheduler 1.37.

``generated`` makes small clusters, full of what the allocator can do (``theme``, ``supply``, ``demand``). ``cluster``
runs many of them side by side in one cluster, real or embedded, and tells what became of each pod. ``judge`` asks the
allocator about the same pods; ``agreement`` compares, and makes what differs ``smaller``.

``recorded.jsonl`` has what kube-scheduler did with the first examples (``record``): the truth for ``make test``, which
has no kube-scheduler. ``make test-kube`` runs other examples in both clusters, and ``make soak`` many more.
"""
