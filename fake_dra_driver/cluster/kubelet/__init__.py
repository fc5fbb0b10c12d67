"""The kubelet of the embedded cluster, one for each simulated node, and the container runtime below it.

A client of the API server like a real one (k8s.io/kubernetes/pkg/kubelet, 1.27 to 1.37), whose containers are processes
of this machine. Nothing is isolated: ``docs/embedded-nodes.md`` says what that means for authors of manifests::

    API server <── client ── kubelet ─┬─ node              Node and Lease
                                      ├─ dra.plugins       registration of drivers, by their sockets
                                      ├─ dra.slicecleanup  slices of drivers that are gone
                                      ├─ pods.podworkers ── podworker    one for each pod
                                      │    ├─ dra.claimmanager ── nodeclient    claims, through the plugins' gRPC
                                      │    ├─ plan                              what to start and stop
                                      │    ├─ launcher ── containersetup        starter, environment, images, volumes
                                      │    ├─ probes, stopping ── handlers
                                      │    └─ status ── statuswriter
                                      └─ logs              what ``kubectl logs`` asks for
    containerruntime ── runtime, process, containerlog, cdi    outlives the kubelet, as containerd does

``kubelet`` says how these are put together, and is what to use from outside, with ``containerruntime.runtime`` and
``containersetup.images``.
"""
