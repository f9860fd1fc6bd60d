"""The notes of a limit's steps, one language at a time, for what the tables and the screening write."""

import re
from datetime import date

import pytest

from api.step_notes import step_note
from domain.law import limit_tables

TABLES = limit_tables(date(2026, 11, 20))
CJK = re.compile(r"[\u4e00-\u9fff]")
COMPUTED = {
    "single tyres on axle 3, 4": "第 3、4 轴为单轮胎",
    "gb1589-single 7000 + gb1589-tandem 18000": "各轴组限值之和：gb1589-single 7000 + gb1589-tandem 18000",
    "the site's own lower limit (bridge or road sign)": "站点自身的更低限值（桥梁或道路标志）",
}


@pytest.mark.parametrize("note", [row.note for row in TABLES.gross])
def test_notes_of_the_gross_limits_do_not_mix(note: str) -> None:
    chinese, english = step_note(note, "zh-CN"), step_note(note, "en")
    assert CJK.search(chinese)
    assert not re.search(r"[a-z]{3}", chinese)
    assert english.isascii()
    assert english


@pytest.mark.parametrize("row", ["std16-note4-air-truck", "std16-note4-air-articulated"])
def test_rules_that_are_cited_with_their_own_note_have_chinese(row: str) -> None:
    notes = {rule.id: rule.note for rule in TABLES.rules}
    assert CJK.search(step_note(notes[row], "zh-CN"))
    assert step_note(notes[row], "en") == notes[row]


@pytest.mark.parametrize(("note", "chinese"), COMPUTED.items())
def test_notes_written_by_the_screening(note: str, chinese: str) -> None:
    assert step_note(note, "zh-CN") == chinese
    assert step_note(note, "en") == note


def test_an_unknown_note_is_shown_as_it_is() -> None:
    assert step_note("decided by hand", "zh-CN") == "decided by hand"
