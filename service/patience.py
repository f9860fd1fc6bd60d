"""How a loop waits that cannot do its work: longer each time, and saying so once, then seldom."""

from collections.abc import Callable

TELL_AGAIN_AFTER_S = 600.0


class Patience:
    """What a loop has failed at so far.

    Parameters
    ----------
    first_s, longest_s
        The pause after the first failure in a row, doubled after each that follows, up to the longest.
    clock
        Seconds that only grow, as `time.monotonic`.
    """

    def __init__(self, first_s: float, longest_s: float, clock: Callable[[], float]) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._clock = clock
        self._failures = 0
        self._reason: str | None = None
        self._told_at = 0.0

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def pause_s(self) -> float:
        """How long to wait before the next attempt."""
        return min(self._longest_s, self._first_s * 2.0 ** min(max(0, self._failures - 1), 30))

    def failed(self, reason: str) -> bool:
        """Count a failure; say whether it is worth telling: a new reason, or an old one after a long time."""
        self._failures += 1
        now = self._clock()
        tell = reason != self._reason or now - self._told_at >= TELL_AGAIN_AFTER_S
        self._reason = reason
        if tell:
            self._told_at = now
        return tell

    def succeeded(self) -> bool:
        """Forget all failures; say whether there were any."""
        failed_before = self.failing
        self._failures, self._reason = 0, None
        return failed_before
