"""The whole screening rule for data frames: each reading, doubt and reason, as named columns.

As `weigh` has it, for tables in which no row is confirmed: the sum of axle limits then lowers nothing, so
that the reading can be chosen before any group's limit is looked up. A station's facts lie ready in each
record. What a place in the tables costs is kept low: groups and their limits are worked out once a grouping
and once for the reading chosen.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from operator import or_
from typing import Any

from benchmarks._records import WIDTH
from domain.law import LimitTables
from weigh import DOUBTS, REASONS
from weigh.screening.columns import TYRES

RESULTS = (
    *("outcome", "limit_kg", "adjudged_kg", "over_kg", "unconfirmed_axle_sum_kg"),
    *("reasons", "doubts", "axle_flags", "train"),
)

Columns = Iterator[tuple[str, Any]]
_AXLES = range(1, WIDTH + 1)
_SHIFTS_MM = (0, -150, 150)
_REPORTED_AS = {"single-under-425-mm": (0, 1, 2), "wide": (0, 1, 3), "dual": (0, 4)}
_DUAL = TYRES.index("dual")


class WholeRule:
    """Makes the columns, in the words of one data frame: how to name a column, choose, take the smaller."""

    def __init__(
        self,
        column: Callable[[str], Any],
        where: Callable[[Any, Any, Any], Any],
        least: Callable[[Any, Any], Any],
        tables: LimitTables,
    ) -> None:
        self.c = column
        self.where = where
        self.least = least
        self.tables = tables

    def columns(self) -> Columns:
        """Return the columns in the order they are to be made."""
        yield from self._fronts()
        for paired in (True, False):
            for rank, shift in enumerate(_SHIFTS_MM):
                yield from self._grouping(f"{'p' if paired else 'f'}{rank}_", paired=paired, shift=shift)
        yield from self._readings()
        yield from self._chosen()
        yield from self._group_limits()
        yield from self._masses()
        yield from self._doubts()
        yield from self._reasons()

    def _number(self, test: Any, value: int = 1) -> Any:
        return self.where(test, value, 0)

    def _any(self, tests: Any) -> Any:
        return reduce(or_, tests)

    def _total(self, values: Any) -> Any:
        return reduce(lambda one, other: one + other, values)

    def _dualish(self, axle: int) -> Any:
        return (self.c(f"t{axle}") == 0) | (self.c(f"t{axle}") == _DUAL)

    def _fronts(self) -> Columns:
        c, where = self.c, self.where
        single = ((c(f"t{axle}") >= 1) & (c(f"t{axle}") <= 3) for axle in (1, 2))
        yield "close", c("s1") <= 2_250
        yield "pair_open", (c("t1") != _DUAL) & (c("t2") != _DUAL) & (c("close") | ~c("d2"))
        yield "free_open", ~(next(single) & next(single) & c("close"))
        yield "pair_first", c("pair_open") & c("close")
        yield "section1", c("n") * 0
        for axle in _AXLES[1:]:
            wide = ~c("close") if axle == 2 else c(f"s{axle - 1}") > 2_150
            yield f"section{axle}", c(f"section{axle - 1}") + self._number(wide)
        yield "drive_p", where(c("close"), 1, 2)
        yield "drive_f", c("n") * 0 + 1
        reported = reduce(
            lambda one, other: one & other, (~c(f"d{a}") | self._dualish(a) for a in _AXLES[1:])
        )
        supposed = self._any(self._dualish(axle) for axle in _AXLES[1:])
        dual = (c("drive_known") & reported) | (~c("drive_known") & supposed)
        yield "air_truck", dual & (c("air") != 0) & ((c("n") == 3) | (c("n") == 4))

    def _grouping(self, name: str, *, paired: bool, shift: int) -> Columns:
        c, where = self.c, self.where
        never = c("n") < 0
        yield f"{name}left0", c("n") * 0
        crowded = []
        for axle in _AXLES:
            open_here = axle < WIDTH and not (paired and axle <= 2)
            joins = (c(f"g{axle}") + shift <= 2_000) if open_here else never
            behind = axle + 1 < WIDTH and not (paired and axle + 1 <= 2)
            three = (
                (c(f"g{axle}") + shift <= 1_500) & (c(f"g{axle + 1}") + shift <= 1_500)
                if open_here and behind
                else never
            )
            begins = (c(f"{name}left{axle - 1}") == 0) & (c("n") >= axle)
            yield f"{name}joins{axle}", joins
            yield f"{name}size{axle}", where(begins, where(three, 3, where(joins, 2, 1)), 0)
            if axle > 1:
                crowded.append((c(f"{name}size{axle}") > 0) & c(f"{name}joins{axle - 1}"))
            yield (
                f"{name}now{axle}",
                where(c(f"{name}size{axle}") > 0, c(f"{name}size{axle}"), c(f"{name}left{axle - 1}")),
            )
            in_group = (c(f"{name}size{axle}") > 1) | (
                (c(f"{name}size{axle}") == 0) & (c(f"{name}now{axle}") > 0)
            )
            yield f"{name}in{axle}", in_group
            yield f"{name}left{axle}", where(c(f"{name}now{axle}") > 0, c(f"{name}now{axle}") - 1, 0)
        yield f"{name}crowded", self._any(crowded)

    def _front(self, front: str, *, train: bool) -> Columns:
        """What a front and a kind share under all groupings."""
        c, where = self.c, self.where
        name = f"{front}{'n' if train else 'k'}_"
        for axle in _AXLES[1:]:
            trailer = (c("n") >= axle) & (c(f"section{axle}") > c(f"drive_{front}")) if train else c("n") < 0
            yield f"{name}trailer{axle}", trailer
            drives = (c("drive_known") & c(f"d{axle}")) | (~c("drive_known") & (c("n") >= axle))
            steers = front == "p" and axle == 2
            yield f"{name}may{axle}", c("n") < 0 if steers else drives & ~c(f"{name}trailer{axle}")
        if not train:
            yield f"{name}open", c(f"{'pair' if front == 'p' else 'free'}_open") & (c("n") <= 4)
            truck = where(c("n") == 2, 18_000, where(c("n") == 3, 25_000, 31_000))
            yield f"{name}base", truck + self._number(c("air_truck"), 1_000)
            return
        room = c(f"section{WIDTH}") > c(f"drive_{front}")
        possible = (c("n") >= 3) & ((c("kind") == 2) | room | (c("n") > 4))
        yield f"{name}open", c(f"{'pair' if front == 'p' else 'free'}_open") & possible
        stand = self._total(
            self._number((c("n") >= axle) & (c(f"section{axle}") == c(f"drive_{front}")))
            for axle in _AXLES[1:]
        )
        told = self._total(self._number(c(f"d{axle}") & ~c(f"{name}trailer{axle}")) for axle in _AXLES[1:])
        yield f"{name}alone", (stand == 1) | (told == 1)
        base = where(c(f"{name}alone"), 46_000, 49_000)
        for number, limit in ((5, 43_000), (4, 36_000), (3, 27_000)):
            base = where(c("n") == number, limit, base)
        two_and_two = (
            (c("n") == 4) & (c(f"drive_{front}") == 1) & ~c(f"{name}trailer2") & c(f"{name}trailer3")
        )
        dual = self._dualish(2) & (c("d2") | ~c("drive_known"))
        air = two_and_two & dual & (c("g3") + 150 >= 1_800) & (c("air") != 0)
        yield f"{name}base", base + self._number(air, 1_000)

    def _readings(self) -> Columns:
        """Each reading's limit and its place among equals; the best of them."""
        c, where = self.c, self.where
        yield "best", c("n") * 0 - 1
        for front in "pf":
            for train in (True, False):
                yield from self._front(front, train=train)
                shared = f"{front}{'n' if train else 'k'}_"
                natural = c("pair_first") if front == "p" else ~c("pair_first")
                for rank in range(3):
                    group = f"{front}{rank}_"
                    reduced = self._total(
                        self._number(
                            (c(f"t{axle}") == 2)
                            & (c(f"{group}in{axle}") | c(f"{shared}trailer{axle}"))
                            & ~c(f"{shared}may{axle}")
                        )
                        for axle in _AXLES[1:]
                    )
                    order = where(natural, 0, 3) + (0 if train else 6) + rank
                    limit = c(f"{shared}base") - 3_000 * reduced
                    which = (0 if front == "p" else 6) + (0 if train else 3) + rank
                    # Below the sixteen places of the order, the reading's own number.
                    score = (limit * 16 + 15 - order) * 16 + which
                    best = where(c(f"{shared}open"), score, -1)
                    yield f"score{which}", best
        for which in range(12):
            yield "best", where(c(f"score{which}") > c("best"), c(f"score{which}"), c("best"))
        yield "which", c("best") - c("best") // 16 * 16
        yield "legal", c("best") // 256

    def _chosen(self) -> Columns:
        c, where = self.c, self.where
        yield "paired", c("which") < 6
        yield "rank", c("which") - c("which") // 3 * 3
        yield "train", (c("which") < 3) | ((c("which") >= 6) & (c("which") < 9))

        def grouping(name: str) -> Any:
            by_rank = [where(c("paired"), c(f"p{rank}_{name}"), c(f"f{rank}_{name}")) for rank in range(3)]
            return where(c("rank") == 0, by_rank[0], where(c("rank") == 1, by_rank[1], by_rank[2]))

        def shared(name: str) -> Any:
            train = where(c("paired"), c(f"pn_{name}"), c(f"fn_{name}"))
            return where(c("train"), train, where(c("paired"), c(f"pk_{name}"), c(f"fk_{name}")))

        for axle in _AXLES:
            yield f"size{axle}", grouping(f"size{axle}")
            yield f"in{axle}", grouping(f"in{axle}")
            yield f"trailer{axle}", shared(f"trailer{axle}") if axle > 1 else c("n") < 0
            yield f"may{axle}", shared(f"may{axle}") if axle > 1 else c("n") < 0
        yield "crowded", grouping("crowded")

    def _group_limits(self) -> Columns:
        c, where = self.c, self.where
        for axle in _AXLES:
            members = [place for place in (axle, axle + 1, axle + 2) if place <= WIDTH]
            size = c(f"size{axle}")
            widest = where(size == 2, c(f"g{axle}"), 0) if axle < WIDTH else c("n") * 0
            if axle + 1 < WIDTH:
                wider = where(c(f"g{axle}") > c(f"g{axle + 1}"), c(f"g{axle}"), c(f"g{axle + 1}"))
                widest = where(size == 3, wider, widest)
            yield f"widest{axle}", widest
            driven = self._any(c(f"may{place}") & (size > offset) for offset, place in enumerate(members))
            yield f"driven{axle}", driven
            for name, codes in _REPORTED_AS.items():
                every = [
                    self._any(c(f"t{place}") == code for code in codes) | (size <= offset)
                    for offset, place in enumerate(members)
                ]
                yield f"{name}{axle}", reduce(lambda one, other: one & other, every)
            for error in (150, 0):
                limit = c("zero")
                for row in sorted(self.tables.axle, key=lambda row: row.limit_kg):
                    limit = where(self._applies(row, axle, error), row.limit_kg, limit)
                yield f"{'group' if error else 'exact'}{axle}", limit + c("zero")

    def _applies(self, row: Any, axle: int, error: int) -> Any:
        c = self.c
        applies = c(f"size{axle}") == row.axles
        if row.axles > 1:
            applies = applies & (c(f"widest{axle}") + error >= row.spacing_min_mm)
            if row.spacing_max_mm is not None:
                applies = applies & (c(f"widest{axle}") - error <= row.spacing_max_mm)
        if row.tyres is not None:
            applies = applies & c(f"{row.tyres.value}{axle}")
        if row.drive:
            applies = applies & c(f"driven{axle}")
        if row.air:
            applies = applies & (c("air") != 0)
        if row.trailer is not None:
            applies = applies & (c(f"trailer{axle}") if row.trailer else ~c(f"trailer{axle}"))
        return applies

    def _masses(self) -> Columns:
        c, where, least = self.c, self.where, self.least
        total = self._total(c(f"group{axle}") for axle in _AXLES)
        yield "axle_sum", where(c("crowded"), 0, total)
        lower = (c("axle_sum") > 0) & (c("axle_sum") < c("legal"))
        yield "unconfirmed_axle_sum_kg", where(lower, c("axle_sum"), 0)
        yield "limit_kg", where(c("site_limit") > 0, least(c("legal"), c("site_limit")), c("legal"))
        taken, guard = 1_000_000 - c("mpe"), 1_000_000_000 - 3_000 * c("u_gross")
        mass = least(c("gross") * taken // 1_000_000, c("gross") * guard // 1_000_000_000)
        yield "adjudged_kg", mass
        yield "over_kg", where(c("adjudged_kg") > c("limit_kg"), c("adjudged_kg") - c("limit_kg"), 0)
        yield "guard_axle", 1_000_000_000 - 3_000 * c("u_axle")
        for axle in _AXLES:
            load = c(f"l{axle}")
            for offset in (1, 2):
                if axle + offset <= WIDTH:
                    load = load + where(c(f"size{axle}") > offset, c(f"l{axle + offset}"), 0)
            yield f"load{axle}", load
            flagged = (
                (c(f"size{axle}") > 0)
                & (c(f"load{axle}") * (1_000_000 - c("mpe")) >= (c(f"group{axle}") + 1) * 1_000_000)
                & (c(f"load{axle}") * c("guard_axle") >= (c(f"group{axle}") + 1) * 1_000_000_000)
            )
            yield f"flag{axle}", self._number(flagged, 1 << (axle - 1))
        yield "axle_flags", self._total(c(f"flag{axle}") for axle in _AXLES)

    def _doubts(self) -> Columns:
        c = self.c
        train = c("pn_open") | c("fn_open")
        no_trailer = ~self._any(c(f"trailer{axle}") for axle in _AXLES[1:])
        regroups = {
            front: self._any(
                c(f"{front}{rank}_size{axle}") != c(f"{front}0_size{axle}")
                for rank in (1, 2)
                for axle in _AXLES
            )
            for front in "pf"
        }
        open_width = self._any(
            (c(f"t{axle}") == 1) & (c(f"in{axle}") | c(f"trailer{axle}")) & ~c(f"may{axle}")
            for axle in _AXLES[1:]
        )
        tests = {
            "kind-unknown": (c("kind") == 0) & (c("n") <= 4) & train,
            "kind-against-axles": ((c("kind") == 1) & train) | ((c("kind") == 2) & no_trailer),
            "tyres-unknown": self._any(c(f"t{axle}") == 0 for axle in _AXLES),
            "tyre-width-unknown": open_width,
            "drive-unknown": ~c("drive_known"),
            "suspension-unknown": c("air") < 0,
            "grouping-open": (c("paired") & regroups["p"]) | (~c("paired") & regroups["f"]),
            "spacing-band-open": self._any(c(f"exact{axle}") < c(f"group{axle}") for axle in _AXLES),
            "close-axles-beyond-table": c("crowded"),
            "uncertainty-undeclared": c("undeclared"),
        }
        yield (
            "doubts",
            self._total(self._number(test, 1 << DOUBTS.index(code)) for code, test in tests.items()),
        )

    def _reasons(self) -> Columns:
        c = self.c
        total = self._total(c(f"l{axle}") for axle in _AXLES)
        wheelbase = self._total(c(f"s{axle}") for axle in _AXLES[:-1])
        yield "apart", c("gross") - total
        yield "wheelbase", wheelbase
        apart = (c("apart") > 100) | (c("apart") < -100)
        share = (100 * c("apart") > c("gross")) | (-100 * c("apart") > c("gross"))
        certified = c("certified")
        too_long = (c("length") > 0) & (c("wheelbase") - 150 * (c("n") - 1) > c("length"))
        tests = {
            "speed-outside-certificate": certified
            & ((c("speed") < c("slowest")) | (c("speed") > c("fastest"))),
            "lane-not-on-certificate": certified & (c("lane") > c("certified_lanes")),
            "gross-implausible": (c("gross") == 0) | (c("gross") > 22_700 * c("n")),
            "axle-load-implausible": self._any(c(f"l{axle}") > 22_700 for axle in _AXLES),
            "axle-sum-mismatch": apart & share,
            "first-spacing-implausible": c("s1") < 1_370,
            "wheelbase-implausible": c("wheelbase") < 1_980,
            "length-implausible": (c("length") > 61_000) | too_long,
            "direction-not-registered": c("direction") != c("site_direction"),
            "lane-not-at-site": c("lane") > c("site_lanes"),
        }
        bits = self._total(self._number(test, 1 << REASONS.index(code)) for code, test in tests.items())
        yield "reasons", c("flags") + c("missing") * (1 << REASONS.index("no-certificate")) + bits
        unusable = REASONS.index("no-certificate")
        below = c("reasons") - c("reasons") // (1 << unusable) * (1 << unusable)
        over = self.where(c("over_kg") > 0, 2, 3)
        yield "outcome", self.where(below > 0, 0, self.where(c("reasons") > 0, 1, over))
