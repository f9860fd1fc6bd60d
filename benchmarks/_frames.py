"""The screening rule for data frames and SQL: simplified, in their favour, written once for all three.

Left out, which `weigh` does: all readings but one (a vehicle is read as its axles look, the spacings as
measured), what tyres and suspension may be where they are not known, the doubts, drive axles as reported,
most axle rows, and the look-up of a station's facts, which lie ready in each record here. Kept: sections,
twin steering, groups from the front, gross limits, single tyres, air, deduction, guard band, site limit,
axle flags, usability.
"""

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks._records import WIDTH
from benchmarks._whole_rule import RESULTS as WHOLE_RESULTS
from benchmarks._whole_rule import WholeRule
from domain.law import LimitTables
from weigh import RecordColumns

Where = Callable[[Any, Any, Any], Any]
Column = Callable[[str], Any]

RESULTS = ("outcome", "limit_kg", "adjudged_kg", "over_kg", "axle_flags", "unusable")

_TRUCK = {2: 18_000, 3: 25_000, 4: 31_000}
_TRAIN = {3: 27_000, 4: 36_000, 5: 43_000}


def rule(c: Column, where: Where, least: Callable[[Any, Any], Any]) -> Iterator[tuple[str, Any]]:
    """Return the rule as named columns, each made of those before it."""
    axles = range(1, WIDTH + 1)
    yield "paired", (c("s1") <= 2_250) & (c("t1") < 4) & (c("t2") < 4)
    yield "section1", c("n") * 0
    for axle in axles[1:]:
        wide = c(f"s{axle - 1}") > (2_250 if axle == 2 else 2_150)
        yield f"section{axle}", c(f"section{axle - 1}") + where(wide, 1, 0)
    yield "train", (c(f"section{WIDTH}") > 1) | (c("n") > 4)
    yield from _groups(c, where)
    for axle in axles:
        trailer = c("train") & (c(f"section{axle}") > 1)
        narrow = (c(f"t{axle}") == 2) & (trailer | c(f"in{axle}"))
        yield f"reduced{axle}", where(narrow & (c("n") > axle - 1), 3_000, 0)
    yield "reduced", sum((c(f"reduced{axle}") for axle in axles[2:]), start=c("reduced2"))
    drive = sum((where(c(f"section{axle}") == 1, 1, 0) for axle in axles[2:]), start=c("n") * 0)
    yield "drives", drive
    train = where(c("drives") == 1, 46_000, 49_000)
    for number, limit in _TRAIN.items():
        train = where(c("n") == number, limit, train)
    truck = where(c("n") == 2, 18_000, where(c("n") == 3, 25_000, 31_000))
    air = where((c("air") != 0) & ((c("n") == 3) | (c("n") == 4)), 1_000, 0)
    legal = where(c("train"), train, truck + air) - c("reduced")
    yield "legal", legal
    yield "limit_kg", where(c("site_limit") > 0, least(c("legal"), c("site_limit")), c("legal"))
    yield from _masses(c, where, least)
    yield from _unusable(c)
    over = where(c("over_kg") > 0, 2, 3)
    yield "outcome", where(c("unusable"), 0, where(c("statistics"), 1, over))


def _groups(c: Column, where: Where) -> Iterator[tuple[str, Any]]:
    yield "left0", c("n") * 0
    for axle in range(1, WIDTH + 1):
        joins = (c(f"s{axle}") <= 2_000) & (c(f"s{axle}") > 0) if axle < WIDTH else c("n") < 0
        three = (c(f"s{axle}") <= 1_500) & joins if axle < WIDTH else c("n") < 0
        behind = c(f"s{axle + 1}") if axle + 1 < WIDTH else c("n") * 0
        if axle <= 2:
            joins, three = joins & ~c("paired"), three & ~c("paired")
        fits = where(three & (behind <= 1_500) & (behind > 0), 3, where(joins, 2, 1))
        begins = (c(f"left{axle - 1}") == 0) & (c("n") >= axle)
        yield f"size{axle}", where(begins, fits, 0)
        left = where(c(f"size{axle}") > 0, c(f"size{axle}"), c(f"left{axle - 1}"))
        yield f"now{axle}", left
        yield f"in{axle}", (c(f"size{axle}") > 1) | ((c(f"size{axle}") == 0) & (c(f"now{axle}") > 0))
        yield f"left{axle}", where(c(f"now{axle}") > 0, c(f"now{axle}") - 1, 0)


def _masses(c: Column, where: Where, least: Callable[[Any, Any], Any]) -> Iterator[tuple[str, Any]]:
    taken, guard = 1_000_000 - c("mpe"), 1_000_000_000 - 3_000 * c("u_gross")
    yield "adjudged_kg", least(c("gross") * taken // 1_000_000, c("gross") * guard // 1_000_000_000)
    yield "over_kg", where(c("adjudged_kg") > c("limit_kg"), c("adjudged_kg") - c("limit_kg"), 0)
    yield "guard_axle", 1_000_000_000 - 3_000 * c("u_axle")
    for axle in range(1, WIDTH + 1):
        load = c(f"l{axle}")
        if axle < WIDTH:
            load = load + where(c(f"size{axle}") > 1, c(f"l{axle + 1}"), 0)
        if axle + 1 < WIDTH:
            load = load + where(c(f"size{axle}") > 2, c(f"l{axle + 2}"), 0)
        yield f"load{axle}", load
        single = where((c(f"t{axle}") == 4) | (c(f"t{axle}") == 0), 11_500, 7_000)
        limit = where(c(f"size{axle}") == 3, 24_000, where(c(f"size{axle}") == 2, 18_000, single))
        yield f"group_limit{axle}", limit + c("zero")
        flagged = (
            (c(f"size{axle}") > 0)
            & (c(f"load{axle}") * (1_000_000 - c("mpe")) >= (c(f"group_limit{axle}") + 1) * 1_000_000)
            & (c(f"load{axle}") * c("guard_axle") >= (c(f"group_limit{axle}") + 1) * 1_000_000_000)
        )
        yield f"flag{axle}", where(flagged, 1 << (axle - 1), 0)
    yield "axle_flags", sum((c(f"flag{axle}") for axle in range(2, WIDTH + 1)), start=c("flag1"))


def _unusable(c: Column) -> Iterator[tuple[str, Any]]:
    total = sum((c(f"l{axle}") for axle in range(2, WIDTH + 1)), start=c("l1"))
    heavy = c("l1") > 22_700
    for axle in range(2, WIDTH + 1):
        heavy = heavy | (c(f"l{axle}") > 22_700)
    yield "apart", c("gross") - total
    yield "wheelbase", sum((c(f"s{axle}") for axle in range(2, WIDTH)), start=c("s1"))
    yield (
        "unusable",
        (
            (c("flags") > 0)
            | (c("speed") < 500)
            | (c("speed") > 100_000)
            | (c("lane") > c("certified_lanes"))
            | (c("gross") == 0)
            | (c("gross") > 22_700 * c("n"))
            | heavy
            | (
                ((c("apart") > 100) | (c("apart") < -100))
                & (c("apart") * c("apart") * 10_000 > c("gross") * c("gross"))
            )
            | (c("s1") < 1_370)
            | (c("wheelbase") < 1_980)
            | (c("length") > 61_000)
            | ((c("length") > 0) & (c("wheelbase") - 150 * (c("n") - 1) > c("length")))
        ),
    )
    yield (
        "statistics",
        (c("missing") > 0) | (c("direction") != c("site_direction")) | (c("lane") > c("site_lanes")),
    )


def frame(columns: RecordColumns) -> dict[str, np.ndarray[Any, Any]]:
    """Return the records as columns of numbers wide enough for the products, a station's facts in each."""
    table, place = columns.contexts, columns.context
    wide: dict[str, Any] = {"n": columns.axle_count}
    for axle in range(WIDTH):
        wide[f"t{axle + 1}"] = columns.tyres[axle]
        wide[f"l{axle + 1}"] = columns.load_kg[axle]
        if axle < WIDTH - 1:
            wide[f"s{axle + 1}"] = columns.spacing_mm[axle]
    certified = table.certified[place]
    wide |= {
        "air": columns.air,
        "gross": columns.gross_kg,
        "speed": columns.speed_m_h,
        "length": columns.length_mm,
        "u_gross": np.where(columns.u_gross_ppm > 0, columns.u_gross_ppm, 15_000),
        "u_axle": np.where(columns.u_axle_ppm > 0, columns.u_axle_ppm, 30_000),
        "flags": columns.flags,
        "lane": columns.lane,
        "direction": columns.direction,
        "mpe": np.where(certified, table.mpe_ppm[place], 100_000),
        "certified_lanes": np.where(certified, np.log2(table.certified_lanes[place] + 1), 16),
        "site_limit": table.site_limit_kg[place],
        "site_lanes": table.site_lanes[place],
        "site_direction": table.direction[place],
        "missing": table.missing[place],
    }
    wide["zero"] = np.zeros(len(columns))  # adds 64 bits to a figure
    number = np.arange(WIDTH)
    driven = columns.driven[:, None] >> number & 1 & (number > 0) & (number < columns.axle_count[:, None])
    wide |= {f"d{axle + 1}": driven[:, axle] for axle in range(1, WIDTH)}
    for axle in range(1, WIDTH):
        wide[f"g{axle}"] = np.where(wide[f"s{axle}"] > 0, wide[f"s{axle}"].astype(np.int32), 1_000_000)
    wide |= {
        "kind": columns.kind,
        "drive_known": driven.any(axis=1),
        "certified": certified,
        "slowest": table.min_speed_m_h[place],
        "fastest": table.max_speed_m_h[place],
        "undeclared": columns.u_gross_ppm == 0,
    }
    yes_or_no = {"drive_known", "certified", "undeclared", *(f"d{number}" for number in range(2, WIDTH + 1))}
    masses = {"zero", "gross", "mpe", "u_gross", "u_axle", *(f"l{number}" for number in range(1, WIDTH + 1))}
    types = dict.fromkeys(masses, np.int64) | dict.fromkeys(yes_or_no, np.bool_)
    return {
        name: np.ascontiguousarray(values).astype(types.get(name, np.int32)) for name, values in wide.items()
    }


def polars_job(data: dict[str, Any], engine: Any, tables: LimitTables | None) -> Callable[[], pl.DataFrame]:
    """Return a lazy polars query: the whole rule by these tables, or the simplified one."""

    def where(test: Any, yes: Any, no: Any) -> pl.Expr:
        return pl.when(test).then(yes).otherwise(no)

    query = pl.DataFrame(data).lazy()
    for name, expression in _steps(pl.col, where, pl.min_horizontal, tables):
        query = query.with_columns(expression.alias(name))
    query = query.select(RESULTS if tables is None else WHOLE_RESULTS)
    return lambda: query.collect(engine=engine)


def pandas_job(data: dict[str, Any], tables: LimitTables | None) -> Callable[[], dict[str, Any]]:
    """Return the whole or the simplified rule over a pandas frame, one column after another."""
    start = pd.DataFrame(data)

    def run() -> dict[str, Any]:
        columns = {name: start[name] for name in start.columns}

        def where(test: Any, yes: Any, no: Any) -> Any:
            return pd.Series(np.where(test, yes, no), index=start.index)

        def least(one: Any, other: Any) -> Any:
            return pd.Series(np.minimum(one, other), index=start.index)

        for name, value in _steps(columns.__getitem__, where, least, tables):
            columns[name] = value  # noqa: PERF403 - the next steps read it
        return {name: columns[name] for name in (RESULTS if tables is None else WHOLE_RESULTS)}

    return run


def _steps(c: Column, where: Where, least: Callable[[Any, Any], Any], tables: LimitTables | None) -> Any:
    return rule(c, where, least) if tables is None else WholeRule(c, where, least, tables).columns()


class Sql:
    """An expression that writes itself as SQL."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> "Sql":  # type: ignore[override]
        return _sql("=", self, other)

    def __ne__(self, other: object) -> "Sql":  # type: ignore[override]
        return _sql("<>", self, other)

    def __invert__(self) -> "Sql":
        return Sql(f"(NOT {self.text})")

    __hash__ = None  # type: ignore[assignment]


def _sql(sign: str, one: Any, other: Any) -> Sql:
    left, right = (value.text if isinstance(value, Sql) else str(value) for value in (one, other))
    return Sql(f"({left} {sign} {right})")


for _name, _sign in {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "floordiv": "//",
    "and": "AND",
    "or": "OR",
}.items():
    setattr(Sql, f"__{_name}__", lambda one, other, sign=_sign: _sql(sign, one, other))
    setattr(Sql, f"__r{_name}__", lambda one, other, sign=_sign: _sql(sign, other, one))


def duckdb_job(data: dict[str, Any], threads: int) -> Callable[[], Any]:
    """Return the rule as one SQL query, each step a subquery of the one before."""

    def text(value: Any) -> str:
        return value.text if isinstance(value, Sql) else str(value)

    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    given = pl.DataFrame(data).to_arrow()
    connection.register("given", given)
    connection.execute("CREATE TABLE records AS SELECT * FROM given")
    query = "records"
    steps = rule(
        Sql,
        lambda test, yes, no: Sql(f"(CASE WHEN {text(test)} THEN {text(yes)} ELSE {text(no)} END)"),
        lambda one, other: Sql(f"least({text(one)}, {text(other)})"),
    )
    for name, expression in steps:
        query = f"(SELECT *, {text(expression)} AS {name} FROM {query})"  # noqa: S608 - the rule's own words
    wanted = f"SELECT {', '.join(RESULTS)} FROM {query}"  # noqa: S608
    return lambda: connection.sql(wanted).to_arrow_table()
