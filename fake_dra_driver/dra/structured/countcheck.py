"""The number of devices that opaque parameters name, compared with what a claim asks for, and with what it got. Pure.

In classic DRA the parameters of a claim say how many devices it gets. In structured DRA its requests do; parameters
that are used in both may say it all the same, and must not silently mean something else.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.config import Config, config_for, covers
from fake_dra_driver.dra.structured.configcheck import alternatives_of

__all__ = ["CountCheck"]

MAX_NUMBERS: Final = 8
"""How many numbers a message lists."""
_FIELD: Final = "spec.count"


class CountCheck:
    """Compares the count that parameters name.

    Args:
        count_of: the count in parameters; None: they name none.
        max_count: the greatest that can be asked for.
    """

    def __init__(self, count_of: Callable[[Config], int | None], max_count: int) -> None:
        self._count_of = count_of
        self._max_count = max_count

    def requested(
        self, config: Config, configs: Sequence[Config], requests: Sequence[v1.DeviceRequest]
    ) -> Iterable[FieldProblem]:
        """Says so where the count differs from what the requests ask for, whatever is chosen for them.

        Which of the requests are for devices of other drivers, only the allocation says: those do not count. Nor does
        the count of parameters that a later entry replaces.
        """
        count = self._count_of(config)
        if count is None:
            return
        possible = {0}
        for request in requests:
            covered = {name: asked for name, asked in alternatives_of(request) if covers(config.requests, name)}
            if any(
                asked.allocation_mode == "All" or config_for(name, configs) is not config
                for name, asked in covered.items()
            ):
                return
            sums = {total + (asked.count or 1) for total in possible for asked in covered.values()}
            possible |= {total for total in sums if 0 < total <= self._max_count}
        allowed = sorted(possible - {0})
        if allowed and count not in allowed:
            more = [] if len(allowed) <= MAX_NUMBERS else ["some other numbers"]
            numbers = " or ".join([*map(str, allowed[:MAX_NUMBERS]), *more])
            message = f"must be {numbers}, the number of devices that its requests ask for, is {count}; or leave it out"
            yield config.problem(_FIELD, message)

    def allocated(self, config: Config, results: Iterable[v1.DeviceRequestAllocationResult]) -> Iterator[FieldProblem]:
        """Says so where the count differs from the number of these devices that the parameters are for."""
        count = self._count_of(config)
        there = sum(covers(config.requests, result.request) for result in results)
        if count is not None and count != there:
            message = f"must be {there}, the number of devices that were allocated, or left out; is {count}"
            yield config.problem(_FIELD, message)
