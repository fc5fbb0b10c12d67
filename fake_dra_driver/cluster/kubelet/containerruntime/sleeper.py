"""What runs in a container for which there is no program: nothing, until it is told to end.

It is no process: a thousand of them cost a thousand small objects. Commands of clients run beside it as in any
container.
"""

import asyncio
import signal

from typing_extensions import override

from fake_dra_driver.cluster.kubelet.containerruntime.program import Program

__all__ = ["Sleeper"]

_WITHOUT_EFFECT = frozenset({signal.SIGSTOP, signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH})


class Sleeper(Program):
    """Sleeps until a signal ends it, any one that would end a program without a handler.

    Args:
        why: the only line that it writes.
        ends_at_once: whether it ends by itself, with exit code 0.
    """

    def __init__(self, why: str, *, ends_at_once: bool = False) -> None:
        self.output = asyncio.StreamReader()
        self.output.feed_data(f"{why}\n".encode())
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if ends_at_once:
            self._ended.set_result(0)

    @override
    def signal(self, number: int) -> None:
        self.signal_group(number)

    @override
    def signal_group(self, number: int) -> bool:
        if self._ended.done():
            return False
        if number and number not in _WITHOUT_EFFECT:
            self._ended.set_result(-number)
        return True

    @override
    def kill(self) -> None:
        self.signal_group(signal.SIGKILL)

    @override
    async def wait(self) -> int:
        code = await asyncio.shield(self._ended)
        self.close()
        return code

    @override
    def close(self) -> None:
        if not self.output.at_eof():
            self.output.feed_eof()
