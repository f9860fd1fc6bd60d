"""Step 1: what the law says of each weigh record of a batch, before anything is stored.

The tables are those in force on the local day of the passage (法不溯及既往), never today's. Whose clock may
be wrong cannot say on which day, at which moment or before which other vehicle it weighed: such a passage is
statistics only.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from domain.events import Axle, WeighMessage, WeighRecord
from domain.law import LimitTables, limit_tables
from domain.registry import UNREGISTERED, StationContext
from domain.screening import Outcome, Screening
from service.rule import figures_of, rule_of
from service.settings import Settings
from store.registry import local_day
from weigh import screen_records

CLOCK_UNRELIABLE = "clock-unreliable"
"""Reason code: the station's clock is, by its own word or by its future time of sending, too far off."""


class Screener:
    """The decision rule and the law tables of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self._rule = rule_of(settings)
        self._figures = figures_of(settings)
        self._confirmed_rows = settings.law_confirmed_rows
        self._clock_bound = timedelta(milliseconds=settings.clock_bound_ms)
        self.calibration_max_age = timedelta(days=settings.calibration_max_age_days)

    def warm_up(self) -> None:
        """Load tables and kernels before the first passage waits for them."""
        record = WeighRecord(
            match_key="warm-up",
            lane=1,
            direction="up",
            speed_m_h=60_000,
            gross_kg=10_000,
            axles=(Axle(load_kg=4_000), Axle(load_kg=6_000)),
            spacings_mm=(4_000,),
        )
        tables = _tables(local_day(datetime.now(UTC)), self._confirmed_rows)
        screen_records([record], [UNREGISTERED], tables=tables, rule=self._rule)

    def screen(
        self,
        messages: Sequence[WeighMessage],
        contexts: Sequence[StationContext],
        held: Sequence[tuple[str, ...]] | None = None,
    ) -> list[Screening]:
        """Return one screening a message, in order; pure computation, to be run in a thread.

        `held` are codes, for each, of why it makes statistics only, beyond what the registry says.
        """
        by_day: dict[date, list[int]] = defaultdict(list)
        for position, message in enumerate(messages):
            by_day[local_day(message.header.captured_at)].append(position)
        found: dict[int, Screening] = {}
        for day, positions in by_day.items():
            screenings = screen_records(
                [messages[position].record for position in positions],
                [contexts[position] for position in positions],
                tables=_tables(day, self._confirmed_rows),
                rule=self._rule,
            )
            found.update(zip(positions, screenings, strict=True))
        return [
            self._with_figures(held_back(found[position], (*codes, *self._clock_codes(message))))
            for position, (message, codes) in enumerate(
                zip(messages, held or [()] * len(messages), strict=True)
            )
        ]

    def _clock_codes(self, message: WeighMessage) -> tuple[str, ...]:
        return () if is_clock_reliable(message, self._clock_bound) else (CLOCK_UNRELIABLE,)

    def _with_figures(self, screening: Screening) -> Screening:
        """Keep with what may become evidence the figures it was judged by; other settings may rule later."""
        flagged = screening.outcome is Outcome.OVERLOADED
        return screening.model_copy(update={"rule": self._figures}) if flagged else screening


def held_back(screening: Screening, codes: tuple[str, ...]) -> Screening:
    """Return the screening of a passage that makes statistics only, if there is any code of why."""
    if not codes:
        return screening
    unusable = screening.outcome is Outcome.UNUSABLE
    return screening.model_copy(
        update={
            "outcome": screening.outcome if unusable else Outcome.STATISTICS_ONLY,
            "reasons": (*screening.reasons, *codes),
        }
    )


def is_clock_reliable(message: WeighMessage, bound: timedelta) -> bool:
    """Say whether the clock is within the bound as far as can be told.

    A message captured or sent in the future shows a clock that is fast. One sent long ago shows nothing: it
    may have been under way, and `captured_at` may lie days back in the spool.
    """
    header = message.header
    offset_ms = header.clock.offset_ms
    declared = timedelta(0) if offset_ms is None else timedelta(milliseconds=abs(offset_ms))
    ahead = max(header.captured_at, header.sent_at) - message.wire.received_at
    return declared <= bound and ahead <= bound


@lru_cache(maxsize=64)
def _tables(day: date, confirmed_rows: frozenset[str]) -> LimitTables:
    return limit_tables(day, confirmed_rows=confirmed_rows)
