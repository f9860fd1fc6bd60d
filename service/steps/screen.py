"""Step 1: what the law says of each weigh record of a batch, before anything is stored.

The tables are those in force on the local day of the passage (法不溯及既往), never today's.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

from domain.events import Axle, WeighMessage, WeighRecord
from domain.ids import DeviceId, SiteId, StationId
from domain.law import LimitTables, limit_tables
from domain.registry import Site, StationContext
from domain.screening import Screening
from service.settings import Settings
from store.registry import local_day
from weigh import DecisionRule, screen_records

_NOWHERE = StationContext(
    station=StationId("warm-up"),
    device=DeviceId("warm-up"),
    site=Site(
        site_id=SiteId("warm-up"),
        name="",
        road="",
        stake="",
        direction="up",
        lanes=1,
        gross_limit_kg=None,
        completeness_profile="standard",
        valid_from=date.min,
        valid_to=None,
    ),
    certificate=None,
    announcement=None,
    legal_basis=None,
)


class Screener:
    """The decision rule and the law tables of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self._rule = DecisionRule(
            formula=settings.rule_formula,
            guard_k_milli=settings.rule_guard_k_milli,
            default_u_gross_ppm=settings.rule_default_u_gross_ppm,
        )
        self._confirmed_rows = settings.law_confirmed_rows

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
        screen_records([record], [_NOWHERE], tables=tables, rule=self._rule)

    def screen(self, messages: Sequence[WeighMessage], contexts: Sequence[StationContext]) -> list[Screening]:
        """Return one screening a message, in order; pure computation, to be run in a thread."""
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
        return [found[position] for position in range(len(messages))]


@lru_cache(maxsize=64)
def _tables(day: date, confirmed_rows: frozenset[str]) -> LimitTables:
    return limit_tables(day, confirmed_rows=confirmed_rows)
