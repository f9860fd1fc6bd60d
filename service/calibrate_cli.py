"""The commands `zhichao calibrate ...`: from weighed passes to a calibration, and how accurate it is."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from domain.errors import ConfigurationError
from domain.events import SampleType
from domain.ids import DeviceId, StationId
from domain.units import PPM, utc_text
from service.command import explained, read_settings, run_to_end

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LARGEST_STATE_BYTES = 1_000_000


@click.group()
def calibrate() -> None:
    """Calibrate strips with weighed passes, and say how accurate a station is."""


@calibrate.command("fit")
@click.argument("file", type=_FILE)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New file for the calibration.")
@click.option("--station", required=True, help="Station id in the registry.")
@click.option("--device", required=True, help="Device id of the weighing device.")
@click.option("--lane", type=int, default=1, show_default=True, help="Lane the strips lie in.")
@click.option("--positions", required=True, metavar="MM,MM,...", help="Strips along travel; the first is 0.")
@click.option(
    "--width-mm", type=float, default=53.0, show_default=True, help="Width of a strip along travel."
)
@click.option(
    "--noise-percent",
    type=float,
    default=1.5,
    show_default=True,
    help="Own noise of a sound strip, one sigma.",
)
@click.option(
    "--scale-un",
    metavar="UN,UN,...",
    help="Where the station sends counts (i2): its scale_un, one for all strips or one a strip.",
)
@click.option(
    "--other-unit",
    is_flag=True,
    help="The station is known to send another unit than newton; the calibration says so for ever.",
)
@click.option("--no-temperature", is_flag=True, help="The strips' response does not depend on temperature.")
@click.option("--version", type=int, default=1, show_default=True, help="Higher than any installed before.")
@click.option(
    "--valid-from", metavar="UTC", help="From when on, e.g. 2026-11-23T08:00:00Z; now, where not given."
)
@explained
def fit(
    *,
    file: Path,
    out: Path,
    station: str,
    device: str,
    lane: int,
    positions: str,
    width_mm: float,
    noise_percent: float,
    scale_un: str | None,
    other_unit: bool,
    no_temperature: bool,
    version: int,
    valid_from: str | None,
) -> None:
    """Fit a calibration on the weighed passes in the CSV FILE.

    Gains, temperature, the site's bias and the uncertainty come from the passes; the strips' places and
    noise from you. The columns are told in docs/how-to/calibrate-a-station.md.
    """
    from service.weighed_file import read_weighed_file  # noqa: PLC0415 (numpy and scipy, not for --help)
    from weigh.calibration.fit import Installation, fit_calibration  # noqa: PLC0415

    places = _positions(positions)
    passes, digest = read_weighed_file(file)
    state = fit_calibration(
        passes,
        Installation(
            station=StationId(station),
            device=DeviceId(device),
            lane=lane,
            strip_position_mm=places,
            strip_width_um=round(width_mm * 1_000),
            strip_noise_ppm=round(noise_percent * PPM / 100),
            sample_type=SampleType.FLOAT32 if scale_un is None else SampleType.INT16,
            strip_scale_un=_scales(scale_un, len(places)),
            other_unit=other_unit,
            follows_temperature=not no_temperature,
        ),
        version=version,
        valid_from=_moment(valid_from),
        passes_sha256=digest,
    )
    _write_new(out, state.canonical())
    click.echo(_shown(state))
    click.echo(f"written to {out}; put it in force with: zhichao calibrate install {out}")


@calibrate.command("collect")
@click.argument("file", type=_FILE)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New file of weighed passes.")
@explained
def collect(file: Path, out: Path) -> None:
    """Make a file of weighed passes from stored passages and their reference loads in the CSV FILE.

    FILE has the columns event, axle and reference_kg; the strips' loads, speed, temperature, axle types and
    groups are those of the passage.
    """
    from service.weighed_collect import collect_passes  # noqa: PLC0415 (the database, not for --help)

    text, passes = run_to_end(collect_passes(read_settings(), file))
    _write_new(out, text.encode())
    click.echo(f"{passes} weighed passes written to {out}")


@calibrate.command("show")
@click.argument("file", type=_FILE)
@explained
def show(file: Path) -> None:
    """Say what the calibration in FILE says."""
    click.echo(_shown(_read_state(file)))


@calibrate.command("install")
@click.argument("file", type=_FILE)
@explained
def install(file: Path) -> None:
    """Put the calibration in FILE in force from its date on; it is kept for ever, and never changed.

    A drift alarm of the lane ends with the calibration it was raised under.
    """
    from service.administration import install_calibration  # noqa: PLC0415 (the database, not for --help)
    from store.calibrations import InstalledState  # noqa: PLC0415

    state = _read_state(file)
    installed = InstalledState(
        state.station,
        state.device,
        state.lane,
        state.version,
        state.valid_from,
        state.digest,
        state.to_document(),
    )
    new = run_to_end(install_calibration(read_settings(), installed))
    name = f"calibration {state.version} of {state.station}/{state.device}, lane {state.lane}"
    click.echo(
        f"{name}: in force from {utc_text(state.valid_from)}" if new else f"{name} was installed before"
    )


@calibrate.command("health")
@click.option("--station", required=True, help="Station id in the registry.")
@click.option("--device", required=True, help="Device id of the weighing device.")
@click.option("--lane", type=int, default=1, show_default=True, help="Lane the strips lie in.")
@click.option(
    "--passages",
    type=click.IntRange(1, 100_000),
    default=2_000,
    show_default=True,
    help="Latest passages used.",
)
@explained
def health(*, station: str, device: str, lane: int, passages: int) -> None:
    """Say which strips of a lane are dead, flat, noisy or drifting against the others.

    Judged on the latest ordinary passages, with no reference load. The exit status is 0 if all are sound.
    """
    from service.strip_health import health_text, lane_health  # noqa: PLC0415 (numpy, not for --help)

    found = run_to_end(
        lane_health(read_settings(), StationId(station), DeviceId(device), lane, most_passages=passages)
    )
    click.echo(health_text(found))
    sys.exit(0 if found.sound else 1)


@calibrate.command("report")
@click.argument("file", type=_FILE)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for text, JSON and plot."
)
@click.option("--state", "state_file", type=_FILE, help="Weigh the strips' loads with this calibration.")
@click.option(
    "--stage",
    type=click.Choice(["initial", "in-service"]),
    default="in-service",
    show_default=True,
    help="Errors allowed at verification, or in service.",
)
@click.option(
    "--repetition",
    type=click.Choice(["R1", "R2", "RR1", "RR2"]),
    default="R1",
    show_default=True,
    help="COST 323: from one truck again and again (R1, asks most) to trucks of the traffic (RR2).",
)
@click.option(
    "--environment",
    type=click.Choice(["I", "II", "III"]),
    default="I",
    show_default=True,
    help="COST 323: climate during the passes, from constant (I, asks most) to all seasons (III).",
)
@click.option("--rigid", is_flag=True, help="All passes are of two-axle rigid reference vehicles (R 134).")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object instead of lines.")
@explained
def report(
    *,
    file: Path,
    out: Path | None,
    state_file: Path | None,
    stage: str,
    repetition: str,
    environment: str,
    rigid: bool,
    json_wanted: bool,
) -> None:
    """Say how accurate a station is against the weighed passes in the CSV FILE.

    What the station measured is the column measured_kg, or with --state what that calibration makes of the
    strips' loads. Classes by COST 323, OIML R 134 / JJG 907 and ASTM E1318.
    """
    from service import accuracy  # noqa: PLC0415 (numpy and matplotlib, not for --help)
    from service.weighed_file import read_weighed_file  # noqa: PLC0415
    from weigh.calibration.classes import Environment, Repetition, Stage  # noqa: PLC0415
    from weigh.calibration.remeasure import remeasured  # noqa: PLC0415
    from weigh.calibration.report import accuracy_report  # noqa: PLC0415

    passes, digest = read_weighed_file(file)
    fitted_on_these = False
    if state_file:
        state = _read_state(state_file)
        passes, fitted_on_these = remeasured(passes, state), state.passes_sha256 == digest
    found = accuracy_report(
        passes,
        stage=Stage(stage),
        repetition=Repetition(repetition),
        environment=Environment(environment),
        rigid=rigid,
    )
    if out:
        accuracy.write_report(out, found, passes, fitted_on_these=fitted_on_these)
    if json_wanted:
        click.echo(json.dumps(accuracy.report_document(found, fitted_on_these=fitted_on_these), indent=2))
    else:
        click.echo(accuracy.report_text(found, fitted_on_these=fitted_on_these))


def _write_new(out: Path, data: bytes) -> None:
    try:
        with out.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise ConfigurationError(f"{out} exists and is never written over; name a new file") from None
    except OSError as error:
        raise ConfigurationError(f"{out}: {error.strerror}; name a file that can be written") from None


def _read_state(file: Path) -> Any:
    from weigh.calibration.state import CalibrationState  # noqa: PLC0415 (numpy, not for --help)

    if file.stat().st_size > _LARGEST_STATE_BYTES:
        raise ConfigurationError(f"{file} is too large to be a calibration")
    try:
        document = json.loads(file.read_bytes())
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{file} is not a calibration: its JSON is no object")
    return CalibrationState.from_document(document)


def _shown(state: Any) -> str:
    from service.calibration_text import calibration_text  # noqa: PLC0415 (numpy, not for --help)

    return calibration_text(state)


def _positions(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigurationError(
            f"--positions {text!r}: whole millimetres, separated by commas, e.g. 0,3100,4000"
        ) from None


def _scales(text: str | None, strips: int) -> tuple[int, ...]:
    """Return the scale of each strip; none where the station sends newtons."""
    if text is None:
        return ()
    try:
        scales = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigurationError(
            f"--scale-un {text!r}: whole micronewtons a count, as the station declares them"
        ) from None
    return scales * strips if len(scales) == 1 else scales


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--valid-from {text!r} is no time such as 2026-11-23T08:00:00Z") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"--valid-from {text} names no time zone; add Z for UTC, or +08:00")
    return moment.astimezone(UTC)
