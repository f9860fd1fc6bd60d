"""The numbers a driver reads: each line's arithmetic, done by hand, gives the result it prints."""

import re
from fractions import Fraction
from itertools import islice
from math import floor
from pathlib import Path

import pytest

from domain.screening import Formula
from evidence import build
from service.recomputation import Recomputation, recompute
from service.settings import Settings
from tests.counts import count
from tests.unit.service.recomputation.test_recompute import traffic

_NUMBER = r"(-?\d[\d ]*(?:\.\d+)?)"


def numbers(pattern: str, text: str) -> list[Fraction]:
    """Return the numbers of a line; `#` in the pattern stands for one."""
    found = re.search(re.escape(pattern).replace(r"\#", _NUMBER), text)
    assert found, (pattern, text)
    return [Fraction(number.replace(" ", "")) for number in found.groups()]


def lines(found: Recomputation) -> dict[str, str]:
    """Return each step's computation."""
    assert found.equal
    return {step.name: step.explanation.zh for step in found.steps}


@pytest.mark.parametrize("formula", Formula)
def test_every_line_says_what_it_computes(formula: Formula, tmp_path: Path) -> None:
    settings = Settings(rule_formula=formula, rule_guard_k_milli=1_645)
    packages = traffic("doubts", "SIM-DOUBT-1", tmp_path, settings)
    for contents in islice(packages, count(60, reduced=4)):
        said = lines(recompute(tmp_path / build(tmp_path, contents).folder))
        mass = contents.event["screening"]["adjudication"]
        assert deducted(formula, said["deduction"])
        m, k, u, left = numbers("# kg × (1 − # × # %) = # kg", said["guard"])
        assert left == floor(m * (1 - k * u / 100)) == mass["after_guard_kg"]
        first, second, smaller = numbers("min(# kg, # kg) = # kg", said["adjudged"])
        assert smaller == min(first, second) == mass["adjudged_kg"]
        adjudged, limit, over = numbers("# kg − # kg = # kg", said["excess"])
        assert over == adjudged - limit == mass["over_kg"]
        share = numbers("# kg ÷ # kg = # %", said["excess"])[2]
        assert share == Fraction(floor(over * 1_000_000 / limit), 10_000)
        loads, total = re.findall(r"轴重 ([\d +]+) = ([\d ]+) kg", said["record"])[0]
        assert sum(int(load.replace(" ", "")) for load in loads.split("+")) == int(total.replace(" ", ""))


def deducted(formula: Formula, line: str) -> bool:
    """Say whether the deduction's line is right."""
    if formula is Formula.DEDUCT:
        m, error, left = numbers("# kg × (1 − # %) = # kg", line)
        return left == floor(m * (1 - error / 100))
    if formula is Formula.BOUND:
        m, error, left = numbers("# kg ÷ (1 + # %) = # kg", line)
        return left == floor(m / (1 + error / 100))
    m, error, limit, left = numbers("# kg − # % × # kg = # kg", line)
    return left == floor(m - limit * error / 100)


def test_the_limit_is_reached_step_by_step(tmp_path: Path) -> None:
    """At a bridge with a lower limit of its own."""
    bridge = (
        contents
        for contents in traffic("three-stations", "SIM-K0019", tmp_path)
        if contents.event["screening"]["limit_steps"][-1]["row"] == "site-limit"
    )
    contents = next(bridge)
    line = lines(recompute(tmp_path / build(tmp_path, contents).folder))["limit"]
    (first,) = numbers("# kg [", line)
    change, limit = numbers("# kg = # kg [", line)
    assert first + change == limit == contents.event["screening"]["adjudication"]["limit_kg"] == 40_000
