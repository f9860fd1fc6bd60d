"""`zhichao calibrate`: weighed passes in, calibration and report out, nonsense refused by line."""

import csv
import hashlib
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from tests.unit.weigh.calibration.weighed import INSTALLATION, weighed
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.state import AXLE_TYPES, CalibrationState

POSITIONS = ",".join(str(place) for place in INSTALLATION.strip_position_mm)
FIT = ["--station", "S1", "--device", "wim-1", "--positions", POSITIONS]


def calibrate(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["calibrate", *map(str, words)])


def csv_text(passes: WeighedPasses, *, measured_as: float | None = None) -> str:
    """Write passes as a file of the how-to; `measured_as` times the reference as what the station said."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    strips = passes.strip_load.shape[2]
    optional = [] if measured_as is None else ["measured_kg"]
    writer.writerow(
        ["pass", "axle", "axle_type", "group", "reference_kg", "speed_kmh", "temperature_c"]
        + optional
        + [f"strip_{strip + 1}" for strip in range(strips)]
    )
    for row in range(len(passes)):
        for axle in range(int(passes.axle[row].sum())):
            reference = passes.reference_kg[row, axle]
            loads = ["" if math.isnan(load) else f"{load:.1f}" for load in passes.strip_load[row, axle]]
            writer.writerow(
                [
                    f"P{row}",
                    axle + 1,
                    AXLE_TYPES[passes.axle_type[row, axle]],
                    passes.group[row, axle],
                    f"{reference:.1f}",
                    f"{passes.speed_m_s[row] * 3.6:.3f}",
                    f"{passes.temperature_k[row] - 273.15:.2f}",
                    *([] if measured_as is None else [f"{reference * measured_as:.1f}"]),
                    *loads,
                ]
            )
    return stream.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 40 passes to fit on and 40 others of the same road."""
    folder = tmp_path_factory.mktemp("site")
    passes = weighed(21, 80, gain=9.80665, per_k=0.008, warmer_sd_k=6.0)
    for name, rows in (("fit.csv", range(40)), ("check.csv", range(40, 80))):
        (folder / name).write_text(csv_text(passes.take(np.array(rows))), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def state_file(site: Path) -> Path:
    file = site / "state.json"
    result = calibrate(
        "fit", site / "fit.csv", "--out", file, "--valid-from", "2026-11-23T16:00:00+08:00", *FIT
    )
    assert result.exit_code == 0, result.output
    return file


def test_a_fit_writes_the_canonical_state_and_shows_it(site: Path, state_file: Path) -> None:
    data = state_file.read_bytes()
    state = CalibrationState.from_document(json.loads(data))
    assert state.digest == hashlib.sha256(data).hexdigest()
    assert state.passes_sha256 == hashlib.sha256((site / "fit.csv").read_bytes()).hexdigest()
    assert (state.passes, state.station, state.valid_from.hour) == (40, "S1", 8)
    shown = calibrate("show", state_file)
    assert shown.exit_code == 0
    assert state.digest in shown.output
    assert "40 weighed passes" in shown.output


def test_loads_in_kilograms_make_no_calibration_unless_that_is_said(tmp_path: Path) -> None:
    file, out = tmp_path / "kg.csv", tmp_path / "state.json"
    file.write_text(csv_text(weighed(21, 20, gain=1.0)), encoding="utf-8")
    refused = calibrate("fit", file, "--out", out, *FIT)
    assert (refused.exit_code, out.exists()) == (78, False)
    assert "another unit" in refused.stderr
    assert "--other-unit" in refused.stderr
    assert calibrate("fit", file, "--out", out, "--other-unit", *FIT).exit_code == 0
    assert CalibrationState.from_document(json.loads(out.read_bytes())).other_unit == 1
    assert "another unit than newton" in calibrate("show", out).output


@pytest.mark.parametrize(
    ("said", "scales"),
    [
        ([], ()),
        (["--scale-un", "2000000"], (2_000_000,) * 8),
        (["--scale-un", "1,2,3,4,5,6,7,8"], range(1, 9)),
    ],
)
def test_a_fit_says_how_the_station_sends_its_samples(
    said: list[str], scales: Sequence[int], site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "state.json"
    assert calibrate("fit", site / "fit.csv", "--out", out, *said, *FIT).exit_code == 0
    state = CalibrationState.from_document(json.loads(out.read_bytes()))
    assert (state.sample_type, state.strip_scale_un) == ("i2" if said else "f4", tuple(scales))


def test_a_calibration_that_begins_before_its_passes_is_refused(site: Path, tmp_path: Path) -> None:
    lines = (site / "fit.csv").read_text(encoding="utf-8").splitlines()
    file, out = tmp_path / "dated.csv", tmp_path / "state.json"
    file.write_text(
        "\n".join([lines[0] + ",date", *(line + ",2026-11-23" for line in lines[1:])]), encoding="utf-8"
    )
    result = calibrate("fit", file, "--out", out, "--valid-from", "2026-11-22T23:59:59Z", *FIT)
    assert (result.exit_code, out.exists()) == (1, False)
    assert "weighed on 2026-11-23" in result.stderr
    assert calibrate("fit", file, "--out", out, "--valid-from", "2026-11-23T00:00:00Z", *FIT).exit_code == 0


def test_a_calibration_is_never_written_over(site: Path, state_file: Path) -> None:
    before = state_file.read_bytes()
    result = calibrate("fit", site / "fit.csv", "--out", state_file, *FIT)
    assert result.exit_code == 78
    assert "never written over" in result.stderr
    assert state_file.read_bytes() == before


def test_the_report_of_other_passes_names_classes_and_files(
    site: Path, state_file: Path, tmp_path: Path
) -> None:
    result = calibrate("report", site / "check.csv", "--state", state_file, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "COST 323 class: A(5)" in result.output
    assert "optimistic" not in result.output
    assert "fitted on these" not in result.output
    document = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert document["criteria"]["gross"]["count"] == 40
    assert document["criteria"]["gross"]["sd_percent"] < 2.0
    assert document["fitted_on_these_passes"] is False
    assert (tmp_path / "report" / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "report" / "accuracy.svg").read_text(encoding="utf-8")


def test_a_report_on_the_passes_it_was_fitted_on_says_so(site: Path, state_file: Path) -> None:
    result = calibrate("report", site / "fit.csv", "--state", state_file, "--json")
    assert json.loads(result.output)["fitted_on_these_passes"] is True
    assert "these very passes" in calibrate("report", site / "fit.csv", "--state", state_file).output


def test_what_the_station_measured_is_reported_without_a_calibration(tmp_path: Path) -> None:
    file = tmp_path / "passes.csv"
    file.write_text(csv_text(weighed(3, 20), measured_as=1.03), encoding="utf-8")
    document = json.loads(calibrate("report", file, "--json").output)
    assert document["criteria"]["gross"]["mean_percent"] == pytest.approx(3.0, abs=0.01)
    assert document["r134_gross_class"] == "5"
    assert document["criteria"]["gross"]["r134_figures_from"] == "secondary"
    assert document["criteria"]["group"]["r134_figures_from"] == "memory"


def test_a_criterion_that_does_not_occur_is_null(tmp_path: Path) -> None:
    file = tmp_path / "passes.csv"
    lines = ["pass,axle,axle_type,group,reference_kg,speed_kmh,measured_kg"]
    for number in range(12):
        lines += [f"{number},1,steer,1,5000,60,5010", f"{number},2,drive,2,9000,60,8990"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = json.loads(calibrate("report", file, "--json").output)
    assert document["criteria"]["group"] == {
        "count": 0,
        "mean_percent": None,
        "sd_percent": None,
        "worst_percent": None,
        "cost323": None,
        "r134_class": "not determined",
        "r134_figures_from": None,
        "e1318_types": [],
    }
    assert document["cost323_class"] == "A(5)"


HEADER = "pass,axle,axle_type,group,reference_kg,speed_kmh,measured_kg"
GOOD = "p1,1,steer,1,5000,60,5010"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("pass,axle\n", "no column axle_type"),
        (HEADER + "\n", "no weighed pass"),
        (HEADER + ",colour\n" + GOOD + ",red\n", "colour"),
        (HEADER + ",date\n" + GOOD + ",23.11.2026\n", "line 2, column date"),
        (HEADER + ",strip_2\n" + GOOD + ",1\n", "strip_2"),
        (HEADER + ",axle\n" + GOOD + ",1\n", "named twice"),
        (HEADER + "\np1,1,steer,1,5000,60\n", "line 2: 6 cells"),
        (HEADER + "\np1,1,steer,1,heavy,60,1\n", "line 2, column reference_kg"),
        (HEADER + "\np1,1,steer,1,nan,60,1\n", "line 2, column reference_kg"),
        (HEADER + "\np1,1,steer,1,inf,60,1\n", "line 2, column reference_kg"),
        (HEADER + "\np1,1,steer,1,0,60,1\n", "reference load of no axle"),
        (HEADER + "\np1,1,steer,1,,60,1\n", "lacks a reference load"),
        (HEADER + "\np1,1,steer,1,5000,0,1\n", "speed"),
        (HEADER + "\np1,1,front,1,5000,60,1\n", "line 2, column axle_type"),
        (HEADER + "\np1,1,steer,-1,5000,60,1\n", "line 2, column group"),
        (HEADER + "\np1,2,steer,1,5000,60,1\n", "line 2, column axle"),
        (HEADER + "\n" + GOOD + "\n" + GOOD + "\n", "line 3, column axle"),
        (HEADER + "\n" + GOOD + "\np2,1,steer,1,5000,60,1\np1,2,drive,2,5000,60,1\n", "line 4, column pass"),
        (HEADER + "\n" + GOOD + "\np1,2,drive,2,5000,61,1\n", "speed"),
        (HEADER + "\n,1,steer,1,5000,60,1\n", "line 2, column pass"),
        (HEADER + '\n"p1,1,steer\n', "not CSV"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_line_and_column(
    text: str, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "passes.csv"
    file.write_text(text, encoding="utf-8")
    result = calibrate("report", file)
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert "Traceback" not in result.output


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passes.csv"
    file.write_bytes(b"\xff\xfe\x00p")
    assert "UTF-8" in calibrate("report", file).stderr


@pytest.mark.parametrize(
    ("changes", "status", "complaint"),
    [
        (["--positions", "0,x"], 78, "--positions"),
        (["--positions", "0,3100"], 78, "2"),
        (["--positions", POSITIONS.replace("3100", "9000")], 78, "strip_position_mm"),
        (["--scale-un", "2.5"], 78, "--scale-un"),
        (["--scale-un", "1,2"], 78, "strip_scale_un"),
        (["--station", "S 1"], 78, "station"),
        (["--version", "0"], 78, "version"),
        (["--valid-from", "tomorrow"], 78, "--valid-from"),
        (["--valid-from", "2026-11-23T08:00:00"], 78, "time zone"),
    ],
)
def test_an_installation_that_cannot_be_is_refused(
    changes: list[str], status: int, complaint: str, site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "state.json"
    result = calibrate("fit", site / "fit.csv", "--out", out, *FIT, *changes)
    assert result.exit_code == status, result.output
    assert complaint in result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()


def test_too_few_passes_make_no_calibration(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    file.write_text(csv_text(weighed(4, 5)), encoding="utf-8")
    result = calibrate("fit", file, "--out", tmp_path / "state.json", *FIT)
    assert result.exit_code == 1
    assert "at least 10" in result.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": NaN}'])
def test_what_is_no_calibration_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(text, encoding="utf-8")
    result = calibrate("show", file)
    assert result.exit_code == 78
    assert "Traceback" not in result.output
