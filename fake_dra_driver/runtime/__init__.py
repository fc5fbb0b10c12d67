"""A framework for Kubernetes controllers: controller-runtime's ideas on asyncio. It knows nothing of DRA.

A program is a handful of parts, and a manager that starts and stops them::

    API server <── client ──> cache (informers) ──> source ──> work queue ──> controller ──> your reconciler
        ^             ^          list and watch     mapper,      one entry      workers         │
        │             │                             predicate    a key                          │
        │             └──────────── writes ─────────────────────────────────────────────────────┤
        └─────────────────────────── events <── event recorder <────────────────────────────────┘

A minimal one::

    metrics = Metrics()
    client = await Client.connect(kubeconfig=None, user_agent="example", metrics=metrics.observe_request)
    cache = Cache(client)
    events = EventRecorder(client, "example", metrics=metrics)
    controller = Controller("pod", PodReconciler(client, cache.informer(Pod), events), workers=4)
    controller.watch(cache.informer(Pod))
    manager = Manager(client, cache, healthz=HealthServer(":8080", metrics=metrics), events=events, metrics=metrics)
    manager.add_controller(controller)
    await manager.run()

Start: healthz, events, caches (waits until each is synced), runnables, then, once this process leads, controllers; a
runnable that needs no cache does not wait for any. Stop, on SIGTERM, SIGINT or the failure of a part: controllers
(passes in work get to finish), the lease, runnables, caches, healthz, then the events that are still queued, then the
client. All within the grace period; without any when the lease is lost.

Where to read on, from the outside in: ``reconcile`` is what you implement; ``controller`` says what your return values
and errors lead to; ``errors`` which errors there are; ``client`` and ``cache`` what you call; ``manager`` the life of a
program, and ``leaderelection`` which of several works. Between watch and worker: ``source``, ``workqueue``,
``ratelimiter``. Inside the cache: ``informer``, ``store``, ``reflector``, ``listwatch``. Inside the client: ``rest``,
``transport``, ``credentials`` (with ``kubeauth``), ``patch``. Inside ``events``: ``correlator``. What people see:
``metrics`` (each said once in ``metricfamily``), ``healthz``, ``log``.
Used by all: ``clock``, ``task``, ``backoff``. For programs: ``garbage``.
"""
