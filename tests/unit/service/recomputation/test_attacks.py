"""An insider changes what was concluded, bags and signs it anew: every seal holds, and the numbers do not."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError, EvidenceBroken, ZhichaoError
from domain.law import published_tables, read_table, shipped_tables
from evidence import PackageContents, build
from service.recomputation import Recomputation, as_text, recompute
from tests.counts import count
from tests.fixtures.evidence import Deployment
from tests.fixtures.packages import BEGAN
from tests.unit.service.recomputation.test_recompute import traffic

Event = dict[str, Any]
Change = Callable[[Event], None]


@cache
def _made(scenario: str, station: str, folder: Path) -> PackageContents:
    return next(traffic(scenario, station, folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the images of the module's packages lie."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def recorded(folder: Path) -> PackageContents:
    """A package of a station that weighs by itself."""
    return _made("three-stations", "SIM-K2310", folder)


@pytest.fixture
def weighed(folder: Path) -> PackageContents:
    """A package that was weighed from the strips' signals."""
    return _made("waveforms", "SIM-WAVE", folder)


def changed(contents: PackageContents, change: Change) -> PackageContents:
    """Return the contents with another event."""
    event = copy.deepcopy(contents.event)
    change(event)
    return replace(contents, event=event)


def again(contents: PackageContents, folder: Path) -> Recomputation:
    """Build the package, and compute it again."""
    return recompute(folder / build(folder, contents).folder)


def places(found: Recomputation) -> set[tuple[str, str]]:
    """Return step and path of every difference."""
    return {(step.name, one.path) for step in found.steps for one in step.differences}


def _set(path: str, value: Any) -> Change:
    def change(event: Event) -> None:
        *names, last = path.split(".")
        target: Any = event
        for name in names:
            target = target[int(name)] if name.isdecimal() else target[name]
        target[last] = value(target[last]) if callable(value) else value

    return change


MASS = "screening.adjudication"


@pytest.mark.parametrize(
    ("change", "step", "path"),
    [
        (_set(f"{MASS}.after_deduction_kg", lambda kg: kg + 1), "deduction", f"{MASS}.after_deduction_kg"),
        (_set(f"{MASS}.mpe_ppm", 0), "deduction", f"{MASS}.mpe_ppm"),
        (_set(f"{MASS}.u_gross_ppm", 1), "guard", f"{MASS}.u_gross_ppm"),
        (_set(f"{MASS}.adjudged_kg", lambda kg: kg + 900), "adjudged", f"{MASS}.adjudged_kg"),
        (_set(f"{MASS}.over_kg", lambda kg: kg + 1_000), "excess", f"{MASS}.over_kg"),
        (_set(f"{MASS}.limit_kg", lambda kg: kg - 2_000), "limit", f"{MASS}.limit_kg"),
        (_set("screening.outcome", "within"), "outcome", "screening.outcome"),
        (_set("screening.reasons", ["straddling"]), "outcome", "screening.reasons"),
        (_set("screening.vehicle_code", "15"), "vehicle", "screening.vehicle_code"),
        (_set("screening.tables.order62", "0" * 64), "limit", "screening.tables.order62"),
        (_set("screening.rule.guard_k_milli", 0), "guard", f"{MASS}.guard_k_milli"),
        (_set("record.axles.0.load_kg", lambda kg: kg + 500), "record", "record.axles[0].load_kg"),
        (_set("record.gross_kg", lambda kg: kg + 5_000), "record", "record.gross_kg"),
        (_set("record.flags", ["straddling"]), "record", "record.flags"),
        (_set("header.captured_at", "2026-11-20T02:00:00Z"), "message", "header.captured_at"),
        (_set("completeness.missing", ["no-rear-image"]), "completeness", "completeness.missing"),
        (_set("proposal.amount_yuan", 30_000), "proposal", "proposal.amount_yuan"),
        (_set("proposal.summary.zh", "建议：罚款 30000 元"), "proposal", "proposal.summary.zh"),
        (_set("proposal", None), "proposal", "proposal"),
    ],
)
def test_a_changed_figure_is_named(
    recorded: PackageContents, deployment: Deployment, change: Change, step: str, path: str
) -> None:
    deployment.now = BEGAN + timedelta(minutes=2)
    package = deployment.seal(changed(recorded, change))
    assert deployment.verify(package).ok
    found = recompute(package)
    assert not found.equal
    assert (step, path) in places(found)
    assert path in as_text(found)


def test_a_changed_axle_load_of_a_waveform_is_named(weighed: PackageContents, tmp_path: Path) -> None:
    heavier = changed(weighed, _set("weighing.axles.1.load_kg", lambda kg: kg + 1))
    assert places(again(heavier, tmp_path)) == {("weighing", "weighing.axles[1].load_kg")}


def test_a_calibration_made_heavier_is_noticed_though_the_event_names_it(
    weighed: PackageContents, tmp_path: Path
) -> None:
    calibration = weighed.station["calibration"]
    gains = [gain * 102 // 100 for gain in calibration["strip_gain_ppm"]]
    station = {**weighed.station, "calibration": calibration | {"strip_gain_ppm": gains}}
    found = places(again(replace(weighed, station=station), tmp_path))
    assert ("weighing", "weighing.gross_kg") in found
    assert ("weighing", "weighing.calibration.digest") in found


def test_figures_that_hang_together_do_not_follow_from_the_message(
    recorded: PackageContents, weighed: PackageContents, tmp_path: Path
) -> None:
    """Everything of another, heavier passage beside this one's message."""
    heavier = {name: weighed.event[name] for name in ("record", "screening", "proposal")}
    found = again(replace(recorded, event=recorded.event | heavier), tmp_path)
    assert ("record", "record.gross_kg") in places(found)


def test_another_message_under_the_event_gives_no_passage(recorded: PackageContents, tmp_path: Path) -> None:
    weigh, *captures = recorded.wire
    properties = tuple((key, "999" if key == "seq" else value) for key, value in weigh.properties)
    found = again(replace(recorded, wire=(replace(weigh, properties=properties), *captures)), tmp_path)
    assert not found.equal
    assert "the messages weigh" in as_text(found, "en")


def test_a_message_that_cannot_be_decoded_gives_no_passage(recorded: PackageContents, tmp_path: Path) -> None:
    weigh, *captures = recorded.wire
    found = again(replace(recorded, wire=(replace(weigh, payload=b"{"), *captures)), tmp_path)
    assert [step.equal for step in found.steps] == [False]


def test_bytes_other_than_the_event_lists_are_named(recorded: PackageContents, tmp_path: Path) -> None:
    package = tmp_path / build(tmp_path, recorded).folder
    file = package / "data/wire/weigh.json"
    document = json.loads(file.read_bytes())
    document["gross_kg"] += 1
    document["axles"][0]["load_kg"] += 1
    file.write_text(json.dumps(document))
    found = places(recompute(package))
    assert ("message", "originals.wire.data/wire/weigh.json") in found
    assert ("record", "record.gross_kg") in found


def test_a_certificate_that_had_ended_is_named(recorded: PackageContents, tmp_path: Path) -> None:
    ended = recorded.station["certificate"] | {"valid_to": "2026-11-19"}
    found = again(replace(recorded, station={**recorded.station, "certificate": ended}), tmp_path)
    assert places(found) == {("site", "station.certificate")}


def test_a_certificate_with_a_smaller_error_decides_otherwise(
    recorded: PackageContents, tmp_path: Path
) -> None:
    better = recorded.station["certificate"] | {"mpe_in_service_ppm": 0}
    found = again(replace(recorded, station={**recorded.station, "certificate": better}), tmp_path)
    assert ("deduction", f"{MASS}.after_deduction_kg") in places(found)


def _stricter(contents: PackageContents) -> dict[str, bytes]:
    """Return the tables with every limit lowered by a tonne."""
    lower = contents.rules["order62.toml"].replace(b"000\nclause", b"001\nclause")
    assert lower != contents.rules["order62.toml"]
    return {**contents.rules, "order62.toml": lower}


def test_another_table_in_the_package_is_not_the_one_that_was_applied(
    recorded: PackageContents, tmp_path: Path
) -> None:
    found = again(replace(recorded, rules=_stricter(recorded)), tmp_path)
    assert ("limit", "screening.tables.order62") in places(found)
    assert [one.published for one in found.tables] == [False, True, True]


def test_a_table_of_ones_own_is_told_though_everything_follows_from_it(
    recorded: PackageContents, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    package = first / build(first, replace(recorded, rules=_stricter(recorded))).folder
    derived = {one.path: one.recomputed for step in recompute(package).steps for one in step.differences}
    event = copy.deepcopy(recorded.event)
    for path, value in derived.items():
        _set(path.replace("[", ".").replace("]", ""), value)(event)
    found = again(replace(recorded, rules=_stricter(recorded), event=event), tmp_path / "second")
    assert found.equal
    assert not found.tables[0].published
    assert "与软件公布的不同" in as_text(found)
    assert "not the one this software publishes" in as_text(found, "en")


def test_without_its_tables_a_package_is_computed_by_shipped_ones_of_the_same_digest(
    recorded: PackageContents, tmp_path: Path
) -> None:
    found = again(replace(recorded, rules={}), tmp_path)
    assert found.equal
    assert not any(one.in_package for one in found.tables)


def test_a_table_that_was_replaced_since_is_still_known(
    recorded: PackageContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its digest alone, as the passage was screened before and sealed after the change."""
    replaced = read_table(_stricter(recorded)["order62.toml"], file_name="order62.toml")
    known = published_tables() | {replaced.digest: replaced}
    for module in ("derive", "compute"):
        monkeypatch.setattr(f"service.recomputation.{module}.published_tables", lambda: known)
    first = tmp_path / "first"
    package = first / build(first, replace(recorded, rules=_stricter(recorded))).folder
    event = copy.deepcopy(recorded.event)
    for step in recompute(package).steps:
        for one in step.differences:
            _set(one.path.replace("[", ".").replace("]", ""), one.recomputed)(event)
    found = again(replace(recorded, rules={}, event=event), tmp_path / "second")
    assert found.equal
    assert [(one.in_package, one.published) for one in found.tables] == [(False, True)] * 3


def test_a_table_that_is_nowhere_cannot_be_computed_by(recorded: PackageContents, tmp_path: Path) -> None:
    other = changed(recorded, _set("screening.tables.gb1589", "0" * 64))
    with pytest.raises(ConfigurationError, match="does not hold the table gb1589"):
        again(replace(other, rules={}), tmp_path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("screening.algorithm", "zhichao-screen/9"),
        ("proposal.algorithm", "zhichao-penalty/9"),
        ("weighing.algorithms.strips", "strip-area-9"),
        ("weighing.algorithms.criteria", "0" * 64),
        ("weighing.algorithms.trust", "0" * 64),
    ],
)
def test_an_unknown_version_is_named_with_the_software_that_has_it(
    weighed: PackageContents, tmp_path: Path, path: str, name: str
) -> None:
    later = changed(changed(weighed, _set(path, name)), _set("software", "zhichao 7.0.0"))
    with pytest.raises(ConfigurationError, match=rf"{name}.*recompute it with zhichao 7\.0\.0"):
        again(later, tmp_path)


def test_a_package_without_its_rule_is_not_computed_by_todays(
    recorded: PackageContents, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="by which rule"):
        again(changed(recorded, _set("screening.rule", None)), tmp_path)


def test_what_was_put_beside_the_conclusions_is_told(recorded: PackageContents, tmp_path: Path) -> None:
    found = again(changed(recorded, lambda event: event.update(confession={"zh": "承认"})), tmp_path)
    assert found.not_computed == ("confession",)
    assert "confession" in as_text(found)


_CONCLUSIONS = ("captured_at", "header", "record", "screening", "weighing", "completeness", "proposal")
_INPUTS = ("screening.rule", "completeness.requires", "completeness.profile")
"""What the computation starts from: a change of it tells by what follows, if anything follows."""


def _leaves(value: Any, path: str) -> Iterator[str]:
    if path.startswith(_INPUTS):
        return
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for place, part in enumerate(value):
            yield from _leaves(part, f"{path}.{place}")
    else:
        yield path


_VALUES: tuple[Any, ...] = (None, -1, 10**15, "x", [], {}, True)


def _odd(before: Any) -> Iterator[Any]:
    if isinstance(before, int) and not isinstance(before, bool):
        yield before + 1
    if isinstance(before, str):
        yield f"{before}0"
    yield from (value for value in _VALUES if value != before or type(value) is not type(before))


def test_no_figure_can_be_changed_unnoticed(recorded: PackageContents, tmp_path: Path) -> None:
    """Every leaf of what was concluded, one at a time; never a traceback."""
    package = tmp_path / build(tmp_path, recorded).folder
    file = package / "data/event.json"
    event = json.loads(file.read_bytes())
    paths = [path for member in _CONCLUSIONS for path in _leaves(event[member], member)]
    assert len(paths) > 100
    for path in paths:
        original = event
        for name in path.split("."):
            original = original[int(name) if isinstance(original, list) else name]
        for value in list(_odd(original))[: count(9, reduced=1)]:
            changed_event = copy.deepcopy(event)
            _set_at(changed_event, path.split("."), value)
            file.write_bytes(_canonical(changed_event))
            assert not _is_equal(package), (path, value)


def test_nothing_in_a_package_ends_in_a_traceback(weighed: PackageContents, tmp_path: Path) -> None:
    """Whatever stands in a document of the package's own, it is told in a sentence."""
    package = tmp_path / build(tmp_path, weighed).folder
    for file in sorted((package / "data").rglob("*.json")):
        before = file.read_bytes()
        document = json.loads(before)
        for path in list(_leaves(document, ""))[:: count(1, reduced=9)]:
            for value in _VALUES[: count(7, reduced=2)]:
                other = copy.deepcopy(document)
                _set_at(other, path.split(".")[1:], value)
                file.write_bytes(_canonical(other))
                _is_equal(package)
        file.write_bytes(before)


def test_a_package_that_lacks_any_part_is_told_in_a_sentence(
    weighed: PackageContents, tmp_path: Path
) -> None:
    """Every member of every document, and every file, taken out one at a time."""
    package = tmp_path / build(tmp_path, weighed).folder
    for file in sorted(one for one in (package / "data").rglob("*") if one.is_file()):
        before = file.read_bytes()
        if file.suffix == ".json":
            document = json.loads(before)
            for path in list(_members(document, ()))[:: count(1, reduced=7)]:
                other = copy.deepcopy(document)
                del _at(other, path[:-1])[path[-1]]
                file.write_bytes(_canonical(other))
                _is_equal(package)
        file.unlink()
        _is_equal(package)
        file.write_bytes(before)


def _members(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from _members(part, (*path, name))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def _set_at(target: Any, path: list[str], value: Any) -> None:
    *names, last = path
    for name in names:
        target = target[int(name) if isinstance(target, list) else name]
    target[int(last) if isinstance(target, list) else last] = value


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _is_equal(package: Path) -> bool:
    try:
        found = recompute(package)
    except ZhichaoError:
        return False
    as_text(found)
    return found.equal


def test_a_folder_that_is_no_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceBroken, match=r"event\.json cannot be read"):
        recompute(tmp_path)


def test_the_shipped_tables_are_those_packages_carry(recorded: PackageContents) -> None:
    assert recorded.rules == {f"{name}.toml": table.data for name, table in shipped_tables().items()}
