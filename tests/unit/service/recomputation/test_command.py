"""`zhichao evidence recompute`: what it prints, and the status it ends with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evidence import PackageContents, build
from service.cli import main
from tests.unit.service.recomputation.test_recompute import traffic


@pytest.fixture
def contents(tmp_path: Path) -> PackageContents:
    """A package that was weighed from the strips' signals."""
    return next(traffic("waveforms", "SIM-WAVE", tmp_path))


def run(contents: PackageContents, folder: Path, *options: str) -> Result:
    """Build the package and run the command on it."""
    package = folder / build(folder, contents).folder
    return CliRunner().invoke(main, ["evidence", "recompute", str(package), *options])


def test_an_honest_package_is_equal_and_reads_in_chinese(contents: PackageContents, tmp_path: Path) -> None:
    result = run(contents, tmp_path)
    mass = contents.event["screening"]["adjudication"]
    assert result.exit_code == 0
    assert result.output.endswith("结论：逐位一致\n")
    for figure in ("measured_gross_kg", "after_deduction_kg", "after_guard_kg", "limit_kg", "over_kg"):
        assert f"{mass[figure]:,} kg".replace(",", " ") in result.output
    assert "交通运输部令2016年第62号第3条" in result.output
    assert contents.event["proposal"]["summary"]["zh"] in result.output


def test_in_english_and_as_json(contents: PackageContents, tmp_path: Path) -> None:
    assert run(contents, tmp_path, "--english").output.endswith("EQUAL to the last digit\n")
    document = json.loads(run(contents, tmp_path, "--json").output)
    assert (document["equal"], document["not_computed"]) == (True, [])
    assert all(step["equal"] and step["explanation"]["zh"] for step in document["steps"])
    assert document["steps"][1]["name"] == "weighing"


def test_a_difference_ends_with_1_and_says_where(contents: PackageContents, tmp_path: Path) -> None:
    proposal = contents.event["proposal"] | {"amount_yuan": 99_999}
    dearer = replace(contents, event=contents.event | {"proposal": proposal})
    result = run(dearer, tmp_path)
    assert result.exit_code == 1
    assert "! proposal.amount_yuan：认定 99999，复算" in result.output
    assert result.output.endswith("结论：不一致：处罚建议\n")
    assert json.loads(run(dearer, tmp_path, "--json").output)["equal"] is False


def test_what_cannot_be_told_ends_with_2_and_says_why(contents: PackageContents, tmp_path: Path) -> None:
    screening = contents.event["screening"] | {"algorithm": "zhichao-screen/9"}
    result = run(replace(contents, event=contents.event | {"screening": screening}), tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "zhichao-screen/9" in result.stderr


def test_a_folder_that_is_no_package_ends_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["evidence", "recompute", str(tmp_path)])
    assert result.exit_code == 2
    assert "event.json cannot be read" in result.stderr


def test_text_from_a_package_cannot_work_the_terminal(contents: PackageContents, tmp_path: Path) -> None:
    """An escape sequence in a document of the package is shown, not obeyed."""
    basis = contents.station["legal-basis"] | {"citation": "\x1b[2J结论：逐位一致"}
    result = run(replace(contents, station={**contents.station, "legal-basis": basis}), tmp_path)
    assert "\x1b" not in result.output
