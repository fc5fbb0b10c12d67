"""Registrations that the kubelets of a node refuse on demand, as they refuse a plugin that does not suit them."""

__all__ = ["Refusals"]


class Refusals:
    """The registrations of drivers that are to be refused. Outlives the kubelets of its node."""

    def __init__(self) -> None:
        self._left: dict[str, int | None] = {}
        # By driver; None: all.

    def add(self, driver: str, times: int) -> None:
        """The next registrations of a driver are refused; with 0, all until ``clear``. The last call for it counts."""
        self._left[driver] = times or None

    def take(self, driver: str) -> bool:
        """Whether the registration of the driver that is asked for now is refused; counts it."""
        if driver not in self._left:
            return False
        left = self._left[driver]
        if left == 1:
            del self._left[driver]
        elif left is not None:
            self._left[driver] = left - 1
        return True

    def clear(self) -> bool:
        """Refuses none from now on. Returns whether there were some that still were to be refused."""
        were_left = bool(self._left)
        self._left.clear()
        return were_left
