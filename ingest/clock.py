"""Whether the times a message claims can be true.

`sent_at` is held against the platform's clock, since it is set anew whenever a spooled message is
sent; `captured_at` only against `sent_at`, so that days in the spool are not taken for a wrong clock.
"""

from datetime import datetime

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from domain.units import utc_text
from ingest.limits import Limits


def check(captured_at: datetime, sent_at: datetime, *, now: datetime, limits: Limits) -> None:
    """Accept the times, or say which of them cannot be.

    Raises
    ------
    InputRefused
        CLOCK_IMPLAUSIBLE.
    """
    ahead = sent_at - now
    if abs(ahead) > limits.clock_tolerance:
        side = "ahead of" if ahead > -ahead else "behind"
        _refuse(
            f"sent_at {utc_text(sent_at)} is {abs(ahead)} {side} the platform's clock ({utc_text(now)}); "
            f"at most {limits.clock_tolerance} is accepted"
        )
    if captured_at - sent_at > limits.capture_ahead:
        _refuse(
            f"captured_at {utc_text(captured_at)} is after sent_at {utc_text(sent_at)}; "
            f"at most {limits.capture_ahead} is accepted"
        )
    if now - captured_at > limits.spool_horizon:
        _refuse(
            f"captured_at {utc_text(captured_at)} is {now - captured_at} old; "
            f"a station keeps captures for at most {limits.spool_horizon}"
        )


def _refuse(detail: str) -> None:
    raise InputRefused(RefusalCode.CLOCK_IMPLAUSIBLE, detail)
