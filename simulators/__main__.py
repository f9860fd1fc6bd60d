"""Command line of the simulators: play, photos, score, registry, calibration."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import ConfigurationError, ZhichaoError
from simulators.link import Broker, Link
from simulators.passages import STRIP
from simulators.photos import PhotoRoad, read_manifest
from simulators.play import PlayOptions, new_epoch, play, run_stations
from simulators.registry import registry_toml
from simulators.scenario import load_scenario
from simulators.score import score_command
from simulators.signing import signed, unsigned
from simulators.spool import Spool
from simulators.station import Pace, Station
from simulators.truth import TruthFile
from simulators.waveforms import calibration_document


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 all well, 1 not all receipted or agreed, 2 wrong usage)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ZhichaoError as error:
        sys.stderr.write(f"simulators: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_play(commands.add_parser("play", help="play a scenario against a broker"))
    _add_photos(commands.add_parser("photos", help="send real photographs as captures of overloaded trucks"))
    _add_score(commands.add_parser("score", help="compare what the service decided with the truth"))
    registry = commands.add_parser("registry", help="print the registry file a scenario needs")
    registry.add_argument("scenario")
    registry.add_argument("--year", type=int, default=datetime.now(UTC).year, help="default: this year")
    registry.set_defaults(run=_registry)
    calibration = commands.add_parser("calibration", help="print the calibration of a waveform station")
    calibration.add_argument("scenario")
    calibration.add_argument("--station", help="default: the scenario's first")
    calibration.add_argument("--seed", type=int, default=1, help="that of play (default 1)")
    calibration.set_defaults(run=_calibration)
    return parser


def _add_broker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--protocol", choices=("5", "311"), default="5", help="MQTT version (default 5)")
    parser.add_argument("--username", help="default, where there is a password: the station's id")
    parser.add_argument("--password-file", type=Path, help="file whose first line is the broker password")
    parser.add_argument("--ca-file", type=Path, help="certificates that vouch for the broker; turns TLS on")
    parser.add_argument("--spool", type=Path, required=True, metavar="DIR", help="the stations' spools")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="append the truth here, JSON lines")
    parser.add_argument("--rate", type=float, default=1.0, help="passages a second in all; 0: unpaced")
    parser.add_argument("--window", type=int, default=60, help="messages out without a receipt, a station")
    parser.add_argument("--progress", choices=("none", "json"), default="none", help="json: lines on stdout")


def _add_play(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", help="name of a scenario, or a .toml file")
    _add_broker(parser)
    parser.add_argument("--station", action="append", default=[], help="only this station (repeatable)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--passages", type=int, help="in all, earlier runs of the spool counted; default endless"
    )
    parser.add_argument("--start", type=_moment, help="time of the first passage, RFC 3339; default: live")
    parser.add_argument("--premade", action="store_true", help="take all photographs of the fleet beforehand")
    parser.set_defaults(run=_play)


def _add_photos(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of the photographs")
    parser.add_argument("manifest", type=Path, help="CSV with the columns file, plate and, if wanted, role")
    parser.add_argument("--scenario", default="photos-test", help="its first station sends")
    _add_broker(parser)
    parser.set_defaults(run=_photos)


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE")
    parser.add_argument("--api", required=True, metavar="URL", help="e.g. http://127.0.0.1:8080")
    parser.add_argument("--user", help="account of the service")
    parser.add_argument("--password-file", type=Path, help="file whose first line is its password")
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.set_defaults(run=_score)


def _play(options: argparse.Namespace) -> int:
    settings = PlayOptions(
        seed=options.seed,
        rate=options.rate,
        spool=options.spool,
        truth=options.truth,
        passages=options.passages,
        start=options.start,
        stations=tuple(options.station),
        premade=options.premade,
        window=options.window,
        progress=options.progress == "json",
    )
    return int(not play(load_scenario(options.scenario), _broker(options), settings, _stop_on_signals()))


def _photos(options: argparse.Namespace) -> int:
    entry = load_scenario(options.scenario).stations[0]
    road = PhotoRoad(entry, read_manifest(options.folder, options.manifest))
    epoch, sign = new_epoch(0, entry.station, None), signed if entry.signs else unsigned
    with Spool(options.spool, entry.station, epoch, sign=sign) as spool:
        station = Station(
            entry.station,
            make=road.passage,
            pace=Pace(every_s=1 / options.rate if options.rate else 0.0, window=options.window),
            spool=spool,
            link=Link(_broker(options), entry.station, STRIP, signs=entry.signs),
            truth=TruthFile(options.truth) if options.truth else None,
        )
        run_stations([station], [None], _stop_on_signals(), progress=options.progress == "json")
        return int(len(spool) > 0)


def _score(options: argparse.Namespace) -> int:
    login = (options.user, _secret(options.password_file)) if options.user else None
    return score_command(options.truth, options.api, login=login, only_json=options.json)


def _registry(options: argparse.Namespace) -> int:
    sys.stdout.write(registry_toml(load_scenario(options.scenario), options.year))
    return 0


def _calibration(options: argparse.Namespace) -> int:
    stations = [entry.station for entry in load_scenario(options.scenario).stations]
    station = options.station or stations[0]
    if station not in stations:
        raise ConfigurationError(f"the scenario has no station {station}; choose from: {', '.join(stations)}")
    begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    document = calibration_document(station, begins, options.seed)
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 0


def _broker(options: argparse.Namespace) -> Broker:
    password = _secret(options.password_file) if options.password_file else None
    return Broker(options.host, options.port, options.protocol, options.username, password, options.ca_file)


def _secret(path: Path | None) -> str:
    if path is None:
        raise ConfigurationError("--user needs --password-file")
    return path.read_text().split("\n", 1)[0]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("give the time with its offset, e.g. 2026-11-23T08:00:00Z")
    return moment


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    sys.exit(main())
