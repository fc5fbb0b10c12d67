"""The admission webhook as a program: ``webhook``. It asks the API server for nothing but what its check may need."""

from collections.abc import Sequence
from typing import Final, Protocol

from typing_extensions import override

from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.settings import WebhookSettings
from fake_dra_driver.dra.programmetrics import show_release
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from fake_dra_driver.dra.structured.webhook import MAX_REVIEW_BYTES, REVIEW_PATH, ClaimWebhook
from fake_dra_driver.runtime.garbage import spare_long_lived
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.httpsserver import HttpsServer
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.runtime.manager import CloseableClient, Manager, SyncingCache
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.servercertificate import ServerCertificate

__all__ = ["ReviewSource", "run_webhook"]

BODY_SECONDS: Final = 5.0
"""How long an API server may take to post a review; by default it waits for the answer for 10 s."""
LINGER_SECONDS: Final = 3.0
"""How long it goes on answering after a signal: until API servers know that its address is gone."""


class ReviewSource(Protocol):
    """What a check has to know from the API server."""

    client: CloseableClient
    """Closed when the program ends."""
    cache: SyncingCache
    """Run by the program."""

    async def run(self) -> None:
        """Reads it, and may return."""
        ...

    def not_ready_reason(self) -> str | None:
        """Why nothing can be reviewed yet; None when it can."""
        ...


async def run_webhook(
    settings: WebhookSettings, names: DriverNames, check: ConfigCheck, source: ReviewSource | None = None
) -> int:
    """Reviews claims and templates until SIGTERM or SIGINT. Returns the exit status.

    Args:
        settings: of the program.
        names: of the driver.
        check: finds what is wrong with the driver's configuration in them.
        source: what the check has to know for that; None: nothing.

    Raises:
        RuntimeLayerError: a certificate or an address that cannot be used.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    spare_long_lived()
    metrics = Metrics(names.metrics)
    show_release(metrics, "webhook")
    server = HttpsServer(
        str(settings.listen),
        ServerCertificate(settings.tls_cert_file, settings.tls_key_file),
        {REVIEW_PATH: ClaimWebhook(check, metrics).answer},
        max_body_bytes=MAX_REVIEW_BYTES,
        timeout_seconds=BODY_SECONDS,
        linger_seconds=LINGER_SECONDS,
    )
    await server.listen()
    healthz = None
    if settings.http_endpoint is not None:
        healthz = HealthServer(str(settings.http_endpoint), metrics=metrics, metrics_path=settings.metrics_path)
        healthz.add_readyz("https", server.not_ready_reason)
        if source is not None:
            healthz.add_readyz("configuration", source.not_ready_reason)
    nothing = _Nothing()
    manager = Manager[CloseableClient, SyncingCache](
        nothing if source is None else source.client,
        nothing if source is None else source.cache,
        healthz=healthz,
        metrics=metrics,
        grace_period_seconds=settings.grace_period_seconds,
    )
    manager.add_runnable("https", server.run, needs_caches=False)
    if source is not None:
        manager.add_runnable("configuration", source.run, needs_caches=False)
    try:
        await manager.run()
    finally:
        await server.close()
    return 0


class _Nothing(CloseableClient, SyncingCache):
    """Stands for the client and the cache of a program that has neither."""

    @override
    async def close(self) -> None:
        return None

    @override
    async def run(self) -> None:
        return None

    @override
    async def wait_for_sync(self) -> None:
        return None

    @override
    def unsynced(self) -> Sequence[str]:
        return ()
