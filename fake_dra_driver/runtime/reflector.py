"""Keeps an informer up to date: list, watch from there, go on from where a watch broke, list again at 410.

Follows k8s.io/client-go/tools/cache (Reflector). What the server does, and what is done about it:

==================================  ==================================================================
the watch ends                      watch again from the last version, at once if it had brought an event
connection lost, garbage            watch again from the last version, after a delay
ERROR event or status 429, 5xx      the same
410, as status or as ERROR event    list again
silence                             list again: a server that does not know the version says nothing
an event that makes no sense        list again, after a delay: what it should have told is lost
any other error                     list again, after a delay
404 to the list                     the kind is not served (yet): warn once, keep trying; never synced
a list older than what was seen     ask again; believed when it keeps saying so (etcd restored)
==================================  ==================================================================

Delays grow, and start over after a watch that brought an event or lasted. However much the server seems to ask for it,
no informer lists or watches again and again without a pause. Only cancellation ends ``run``.
"""

import asyncio
import random
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from loguru import logger

from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import (
    ApiError,
    CredentialsError,
    GoneError,
    NotFoundError,
    RuntimeLayerError,
    ServerError,
    TooManyRequestsError,
    TransportError,
    UnauthorizedError,
    UnusableAnswerError,
)
from fake_dra_driver.runtime.informer import Informer
from fake_dra_driver.runtime.listwatch import PAGE_SIZE, ListWatcher
from fake_dra_driver.runtime.objectidentity import version_number
from fake_dra_driver.runtime.ratelimiter import TokenBucket
from fake_dra_driver.runtime.store import Entry

__all__ = ["Reflector", "ReflectorOptions"]

log = logger.bind(component="reflector")

_RESUMABLE = (
    CredentialsError,
    ServerError,
    TooManyRequestsError,
    TransportError,
    UnauthorizedError,
)
"""After these the version that was reached is still good."""
_OBJECTS_BEFORE_YIELD = 100
"""Decoding takes about 0.1 ms an object: a long page or a burst of events would hold up every other task."""
_MAX_RETRY_AFTER_SECONDS = 60.0
"""An API server asks for seconds; what asks for more is a proxy that does not know."""
_PASSES_PER_SECOND, _PASSES_AT_ONCE = 0.5, 20
"""Bounds what asks for no delay, such as watches that each bring an event and end. A watch lasts for minutes; the burst
is for API servers that are upgraded one after the other."""
_STALE_LISTS_BEFORE_BELIEF = 5
"""A lagging API server catches up within seconds; this often in a row means that its history went back."""


@dataclass(frozen=True, slots=True)
class ReflectorOptions:
    """Durations of a reflector; the defaults are for production, tests choose their own."""

    page_size: int = PAGE_SIZE
    list_timeout_seconds: float = 30.0
    """Deadline of each page."""
    watch_seconds: float = 300.0
    """The server is asked to end a watch after this to twice this, at random (minWatchTimeout of client-go)."""
    inactivity_seconds: float = 120.0
    """Longest silence on a watch. Bookmarks come each 60 to 75 s."""
    initial_backoff_seconds: float = 0.25
    """Shorter than client-go's 0.8 s: an API server that was restarted is often back within a second."""
    max_backoff_seconds: float = 15.0
    """Half of client-go's 30 s: with the jitter, 30 s at most from when the server is back until that is noticed."""
    lasting_seconds: float = 5.0
    """A watch that lasted this long counts as one that worked, even without an event."""


class Reflector:
    """Feeds one informer. ``run`` it once."""

    def __init__(
        self,
        source: ListWatcher,
        informer: Informer[Any],
        *,
        options: ReflectorOptions | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._source = source
        self._informer = informer
        self._options = options or ReflectorOptions()
        self._rng = rng or random.Random()  # noqa: S311 - nothing secret
        self._backoff = Backoff(self._options.initial_backoff_seconds, self._options.max_backoff_seconds, rng=self._rng)
        self._passes = TokenBucket(_PASSES_PER_SECOND, _PASSES_AT_ONCE)
        self._events = 0
        self._kind = str(informer.selection.kind)
        self._must_list = True
        self._page_size = self._options.page_size
        self._stale_lists = 0
        self._failure: type[RuntimeLayerError] | None = None
        # Kind of the failure that was last logged; None while all is well.
        self.trouble = ""
        """Why the informer may be out of date, for people; empty while all is well. A watch that works again is only
        noticed by what it tells, which is a bookmark after a minute at the latest."""

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        while True:
            turn = self._passes.reserve(loop_time())
            delay = max(await self._pass(), turn)
            if delay > 0:
                await asyncio.sleep(delay)

    async def _pass(self) -> float:
        """Lists if need be, and watches until that ends. Returns the seconds to wait before the next pass."""
        loop = asyncio.get_running_loop()
        is_resumed = not self._must_list
        if self._must_list:
            try:
                await self._list()
            except RuntimeLayerError as error:
                return self._after_list(error)
        begun, before = loop.time(), self._events
        failure: RuntimeLayerError | None = None
        try:
            await self._watch()
        except RuntimeLayerError as error:
            failure = error
        worked = self._events > before or loop.time() - begun >= self._options.lasting_seconds
        if worked:
            self._backoff.reset()
        return self._after_watch(failure, worked=worked, is_resumed=is_resumed)

    # --- list ---

    async def _list(self) -> None:
        entries: list[Entry[Any]] = []
        version = ""
        pages = self._source.pages(
            self._informer.selection,
            page_size=self._page_size,
            timeout_seconds=self._options.list_timeout_seconds,
        )
        async with aclosing(pages):
            async for page in pages:
                version = page.resource_version
                for first in range(0, len(page.items), _OBJECTS_BEFORE_YIELD):
                    entries += self._informer.read_items(page.items[first : first + _OBJECTS_BEFORE_YIELD])
                    await asyncio.sleep(0)
        try:
            number = version_number(version)
        except ValueError as error:
            raise _UnusableListError(f"list of {self._kind}: {error}") from error
        if max((entry.version for entry in entries), default=0) > number:
            # Such an object would stay: no list of that version says that it is gone.
            raise _UnusableListError(f"list of {self._kind}: an object is newer than the list")
        rewound = self._is_rewound(number)
        self._informer.replace(entries, number, rewound=rewound)
        self._must_list = False
        self._page_size = self._options.page_size
        self.trouble = ""
        log.debug("Listed", kind=self._kind, objects=len(entries), version=version)

    def _is_rewound(self, version: int) -> bool:
        """Whether the list is to be believed although it is older than what was seen. Raises when it is not."""
        if version >= self._informer.version:
            self._stale_lists = 0
            return False
        self._stale_lists += 1
        if self._stale_lists < _STALE_LISTS_BEFORE_BELIEF:
            raise _UnusableListError(
                f"list of {self._kind}: at version {version}, although {self._informer.version} was seen before"
            )
        self._stale_lists = 0
        log.warning("The API server's history went back; taking it as it is", kind=self._kind, version=version)
        return True

    def _after_list(self, error: RuntimeLayerError) -> float:
        if isinstance(error, GoneError):
            # Compacted between two pages. Once more from the start, then all in one page, as client-go's pager does.
            self._page_size = 0 if self._failure is GoneError else self._page_size
        if isinstance(error, NotFoundError):
            self._log_once(error, "This kind is not served: is its CRD installed? Trying again")
        else:
            self._log_once(error, "List failed, trying again")
        return self._delay(error)

    # --- watch ---

    async def _watch(self) -> None:
        options = self._options
        events = self._source.watch(
            self._informer.selection,
            str(self._informer.version),
            timeout_seconds=options.watch_seconds * (1 + self._rng.random()),
            inactivity_seconds=options.inactivity_seconds,
        )
        async with aclosing(events):
            async for event in events:
                self._informer.handle(event.type, event.object)
                if self._failure is not None:
                    log.info("List and watch work again", kind=self._kind)
                    self._failure, self.trouble = None, ""
                self._events += 1
                if self._events % _OBJECTS_BEFORE_YIELD == 0:
                    await asyncio.sleep(0)

    def _after_watch(self, error: RuntimeLayerError | None, *, worked: bool, is_resumed: bool) -> float:
        if error is None:
            return 0.0 if worked else self._backoff.next()
        self._must_list = not isinstance(error, _RESUMABLE) or isinstance(error, UnusableAnswerError)
        if worked or isinstance(error, GoneError):
            log.debug("Watch broke", kind=self._kind, error=str(error))
        else:
            self._log_once(error, "Watch failed, trying again")
        # An API server that was restarted knows no old versions. It answers, so there is no reason to wait as for one
        # that is away; unless it says so of a version that it has just given out.
        return 0.0 if isinstance(error, GoneError) and (worked or is_resumed) else self._delay(error)

    # --- both ---

    def _delay(self, error: RuntimeLayerError) -> float:
        asked = error.retry_after_seconds if isinstance(error, ApiError) else None
        return max(self._backoff.next(), min(asked or 0.0, _MAX_RETRY_AFTER_SECONDS))

    def _log_once(self, error: RuntimeLayerError, message: str) -> None:
        """A warning when the kind of failure is a new one; an API server that is away must not fill the log."""
        level = "DEBUG" if self._failure is type(error) else "WARNING"
        self._failure, self.trouble = type(error), str(error)
        log.log(level, message, kind=self._kind, error=str(error))


class _UnusableListError(RuntimeLayerError):
    """The server answered, and the answer cannot be taken over."""
