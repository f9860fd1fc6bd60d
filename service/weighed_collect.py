"""`zhichao calibrate collect`: what the strips said of passages whose axles were weighed at rest, as a file.

The file of references is CSV with the columns `event` (id of the stored passage), `axle` (1, 2, ...) and
`reference_kg`; what comes out is a file of weighed passes (`service.weighed_file`).
"""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC
from pathlib import Path

from domain.errors import ConfigurationError, InputRefused, NotFound
from domain.ids import EventId
from domain.refusals import RefusalCode
from service.administration import open_database
from service.settings import Settings
from store.strip_loads import StoredWeighing, weighings
from weigh.calibration.state import AXLE_TYPES
from weigh.estimate.axle_types import types_of_spacings

COLUMNS = ("event", "axle", "reference_kg")
_ZERO_CELSIUS_MK = 273_150

References = dict[EventId, list[str]]


async def collect_passes(settings: Settings, file: Path) -> tuple[str, int]:
    """Return the weighed passes as CSV, and how many there are.

    Raises
    ------
    NotFound
        A passage is not stored, or was not weighed from its strips' signals.
    InputRefused
        The references cannot be as they are, or are of another number of axles than the strips saw.
    """
    references = read_references(file)
    async with open_database(settings) as conn:
        found = await weighings(conn, list(references))
    missing = [event for event in references if event not in found]
    if missing:
        raise NotFound(f"no passage {missing[0]} is stored that was weighed from its strips' signals")
    return passes_csv(references, found), len(references)


def read_references(file: Path) -> References:
    """Return the reference loads of each passage, front axle first, as written."""
    try:
        rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""), strict=True))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}; name a file of reference loads") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputRefused(RefusalCode.FIELD_INVALID, f"{file} is no UTF-8 CSV: {error}") from None
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise InputRefused(RefusalCode.FIELD_MISSING, f"line 1: the columns are {', '.join(COLUMNS)}")
    references: References = {}
    for line, cells in enumerate(rows[1:], start=2):
        row = [cell.strip() for cell in cells]
        if not any(row):
            continue
        if len(row) != len(COLUMNS):
            raise InputRefused(
                RefusalCode.FIELD_INVALID, f"line {line}: {len(row)} cells, not {len(COLUMNS)}"
            )
        loads = references.setdefault(EventId(row[0]), [])
        if row[1] != str(len(loads) + 1):
            raise InputRefused(
                RefusalCode.FIELD_INVALID,
                f"line {line}, column axle: is {row[1]!r}; axle {len(loads) + 1} of {row[0]} comes here",
            )
        loads.append(row[2])
    return references


def passes_csv(references: References, found: Mapping[EventId, StoredWeighing]) -> str:
    """Return a file of weighed passes; all must have been weighed by the same number of strips."""
    strips = {len(axle.strip_loads_n) for one in found.values() for axle in one.weighing.axles}
    if len(strips) != 1:
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"the passages were weighed by {sorted(strips)} strips; take one lane's",
        )
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [f"strip_{strip}" for strip in range(1, strips.pop() + 1)]
    writer.writerow(
        [
            "pass",
            "axle",
            "axle_type",
            "group",
            "reference_kg",
            "measured_kg",
            "speed_kmh",
            "temperature_c",
            "date",
            *names,
        ]
    )
    for event, loads in references.items():
        writer.writerows(_rows(event, loads, found[event]))
    return stream.getvalue()


def _rows(event: EventId, loads: list[str], stored: StoredWeighing) -> Iterable[list[str | int | float]]:
    record, weighing = stored.record, stored.weighing
    if len(loads) != len(weighing.axles):
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"{event}: {len(loads)} reference loads, but the strips saw {len(weighing.axles)} axles",
        )
    types = types_of_spacings(record.spacings_mm)
    celsius = "" if record.temperature_mk is None else (record.temperature_mk - _ZERO_CELSIUS_MK) / 1_000
    speed_kmh = abs(weighing.speed_mm_s) * 3_600 / 1_000_000
    inside = {
        number
        for one in weighing.groups
        for number in range(one.first_axle + 1, one.first_axle + one.axle_count)
    }
    group = 0
    for place, (axle, load) in enumerate(zip(weighing.axles, loads, strict=True)):
        group += place + 1 not in inside
        said = ["" if newton is None else newton for newton in axle.strip_loads_n]
        yield [
            event,
            place + 1,
            AXLE_TYPES[types[place]],
            group,
            load,
            axle.load_kg,
            speed_kmh,
            celsius,
            f"{stored.captured_at.astimezone(UTC):%Y-%m-%d}",
            *said,
        ]
