"""The law tables: the figures, that each is cited and dated, and that a broken table is refused."""

from datetime import date, timedelta
from importlib.resources import files

import pytest

from domain.errors import ConfigurationError
from domain.ids import sha256_of
from domain.law import Confidence, RuleRole, limit_tables, tariff
from domain.law.tables import parse_table

DAY = date(2026, 11, 23)
FIRST_DAY = date(2016, 9, 21)


@pytest.mark.parametrize(
    ("kind", "axles", "single_drive", "limit_kg", "item"),
    [
        ("truck", 2, False, 18_000, 4),
        ("truck", 3, False, 25_000, 5),
        ("train", 3, False, 27_000, 5),
        ("truck", 4, False, 31_000, 6),
        ("train", 4, False, 36_000, 6),
        ("train", 5, False, 43_000, 7),
        ("train", 5, True, 43_000, 7),
        ("train", 6, False, 49_000, 8),
        ("train", 6, True, 46_000, 8),
        ("train", 9, False, 49_000, 8),
        ("train", 16, True, 46_000, 8),
    ],
)
def test_gross_limits_of_order_62_article_3(
    kind: str, axles: int, single_drive: bool, limit_kg: int, item: int
) -> None:
    row = limit_tables(DAY).gross_row(kind, axles, single_drive=single_drive)
    assert row.limit_kg == limit_kg
    assert row.clause == f"Order 62 (2016) Art. 3 para. 1 item {item}"


@pytest.mark.parametrize(("kind", "axles"), [("truck", 5), ("train", 2)])
def test_the_table_names_what_it_lacks(kind: str, axles: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind} of {axles} axles"):
        limit_tables(DAY).gross_row(kind, axles)


def test_axle_limits_of_gb_1589() -> None:
    found = {row.id.removeprefix("gb1589-2-"): row.limit_kg for row in limit_tables(DAY).axle}
    assert found == {
        "single-single": 7_000,
        "single-wide": 10_000,
        "single-wide-drive": 11_500,
        "single-dual": 10_000,
        "single-dual-air": 11_500,
        "single-dual-drive": 11_500,
        "tandem-below-1000": 11_500,
        "tandem-below-1000-trailer": 11_000,
        "tandem-1000": 16_000,
        "tandem-1300": 18_000,
        "tandem-1300-drive-air": 19_000,
        "tandem-1800": 18_000,
        "tridem-to-1300": 21_000,
        "tridem-over-1300": 24_000,
    }


def test_rules_of_reading_the_table() -> None:
    tables = limit_tables(DAY)
    assert tables.rule(RuleRole.SINGLE_TYRE).amount_kg == -3_000
    assert tables.rule(RuleRole.AIR_TRUCK).amount_kg == 1_000
    articulated = tables.gross_row("train", 4).limit_kg + tables.rule(RuleRole.AIR_ARTICULATED).amount_kg
    assert articulated == 37_000


def test_the_tariff_of_order_62_article_43() -> None:
    row = tariff(DAY)
    figures = (row.warning_up_to_kg, row.step_kg, row.step_yuan, row.cap_yuan, row.remainder)
    assert figures == (1_000, 1_000, 500, 30_000, "floor")
    assert (row.confidence, row.remainder_confidence) == (Confidence.SECONDARY, Confidence.MEMORY)


def test_every_row_is_cited_dated_and_named_once() -> None:
    rows = (*limit_tables(DAY).rows, tariff(DAY))
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert row.clause
        assert row.source
        # No date of effect was found in any text: each must say so.
        assert row.effective_from_confidence is Confidence.MEMORY


def test_rows_from_memory_are_marked_and_may_not_lower_a_limit() -> None:
    tables = limit_tables(DAY)
    assert {row.confidence for row in tables.axle} == {Confidence.MEMORY}
    assert not any(tables.may_lower(row) for row in tables.axle)
    assert all(tables.may_lower(row) for row in (*tables.gross, *tables.rules))
    one = tables.axle[0]
    confirmed = limit_tables(DAY, confirmed_rows=frozenset({one.id}))
    assert [row.id for row in confirmed.axle if confirmed.may_lower(row)] == [one.id]


def test_lookup_is_by_the_day_of_the_act() -> None:
    assert limit_tables(FIRST_DAY).gross_row("truck", 2).limit_kg == 18_000
    assert tariff(FIRST_DAY).cap_yuan == 30_000
    with pytest.raises(ConfigurationError, match="2016-09-20"):
        limit_tables(FIRST_DAY - timedelta(days=1))
    with pytest.raises(ConfigurationError, match="2016-09-20"):
        tariff(FIRST_DAY - timedelta(days=1))


def test_confirming_a_row_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="gb1589-2-singel"):
        limit_tables(DAY, confirmed_rows=frozenset({"gb1589-2-singel"}))


def test_digests_are_of_the_bytes_in_the_package() -> None:
    def data(name: str) -> bytes:
        return files("domain.law").joinpath(name).read_bytes()

    tables = limit_tables(DAY)
    assert dict(tables.digests) == {
        "order62": sha256_of(data("order62.toml")),
        "gb1589": sha256_of(data("gb1589.toml")),
    }
    assert tables.digest == sha256_of(data("order62.toml") + data("gb1589.toml"))
    assert tariff(DAY).digest == sha256_of(data("tariff.toml"))


ROW = """
[[gross]]
id = "a-row"
kind = "truck"
axles = 2
limit_kg = 17000
clause = "Art. 1"
source = "a gazette"
confidence = "V"
effective_from = 2026-01-01
effective_from_confidence = "V"
"""
HEAD = 'name = "t"\ntitle = "a table"\ntitle_zh = "表"\n'


def test_a_row_that_follows_another_in_time_is_accepted() -> None:
    older = ROW.replace("2026-01-01", "2020-01-01") + "effective_to = 2025-12-31\n"
    table, _ = parse_table((HEAD + older + ROW).encode(), file_name="t.toml")
    assert [row.in_force(date(2025, 12, 31)) for row in table.gross] == [True, False]
    assert [row.in_force(date(2026, 1, 1)) for row in table.gross] == [False, True]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEAD + "[[gross", "t.toml"),
        (HEAD + ROW.replace('clause = "Art. 1"\n', ""), "clause"),
        (HEAD + ROW.replace('source = "a gazette"', 'source = ""'), "source"),
        (HEAD + ROW.replace('confidence = "V"', 'confidence = "certain"', 1), "confidence"),
        (HEAD + ROW + 'colour = "red"\n', "colour"),
        (HEAD + ROW + "effective_to = 2025-12-31\n", "before 2026-01-01"),
        (HEAD + ROW + ROW, "holds twice"),
    ],
)
def test_a_broken_table_is_refused_with_its_name_and_reason(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        parse_table(text.encode(), file_name="t.toml")
    assert "t.toml" in str(refused.value)
