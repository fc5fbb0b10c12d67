"""The benchmark: ``make bench``, or ``python -m tests.bench --help``. Figures and their raw costs, never pass or fail.

It measures the programs as they ship, as processes of their own, against the control plane of ``KUBE_DIR`` (etcd,
kube-apiserver, kube-scheduler and kube-controller-manager, no kubelet) with Node and NodeAllocationState objects that
it makes itself. Its own client is ``api.py`` and not the driver's, so that a change of the driver does not move the
yardstick. ``docs/performance.md`` has the figures and what was learnt from them.
"""
