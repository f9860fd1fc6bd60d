"""Heavy work of requests, off the event loop: so much at a time, each for a bounded time."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from domain.errors import ServiceUnavailable

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TookTooLong(ServiceUnavailable):
    """Work that was begun did not end in time."""


class Turns:
    """Turns at one kind of work.

    Work that takes too long goes on in its thread, and keeps its turn until it ends: what hangs never makes
    more than `at_once` threads busy.
    """

    def __init__(self, at_once: int, *, wait_s: float, work_s: float) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._wait_s = wait_s
        self._work_s = work_s

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what `work` returns, run in a thread.

        Raises
        ------
        ServiceUnavailable
            No turn came in time.
        TookTooLong
            The work did not end in time.
        """
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise ServiceUnavailable(
                "too much of this is being computed at the same time; try again"
            ) from None
        task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait({task}, timeout=self._work_s)
        if not done:
            raise TookTooLong(f"this did not end within {self._work_s:g} s; try again later")
        return task.result()

    def _ended(self, task: "asyncio.Task[_T]") -> None:
        self._turns.release()
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it
