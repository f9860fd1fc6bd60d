"""The columns of our Parquet files: three versioned schemas, each column with its meaning.

docs/reference/columns.md is made from this. A change of a column is a new version: files of years past
must be read for what they said. Words stand where the contract has words, so that a file is understood
without us; whole numbers carry their unit in the name.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

SCHEMA_KEY = b"zhichao.schema"
"""Entry of a file's metadata that names schema and version."""

_WORD = pa.dictionary(pa.int32(), pa.string())


class Column(NamedTuple):
    """One column as the reference page shows it."""

    name: str
    type: str
    nullable: bool
    meaning: str


def _schema(name: str, *fields: tuple[str, pa.DataType, bool, str]) -> pa.Schema:
    return pa.schema(
        [
            pa.field(column, kind, nullable=nullable, metadata={b"meaning": meaning.encode()})
            for column, kind, nullable, meaning in fields
        ],
        metadata={SCHEMA_KEY: name.encode()},
    )


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


RECORDS = _schema(
    "zhichao/records/1",
    ("record_id", pa.string(), False, "event id of a passage; `fhwa-...` for a W record"),
    (
        "captured_at",
        pa.timestamp("us", tz="UTC"),
        True,
        "when it was weighed; null where only the hour is known",
    ),
    ("local_day", pa.date32(), False, "day of the act at the place: its law decides"),
    ("local_hour", pa.int8(), True, "hour of the day at the place"),
    ("station", _WORD, False, "station"),
    ("device", _WORD, True, "weighing device; null where it has no name"),
    ("match_key", pa.string(), True, "the station's own key for the vehicle"),
    ("lane", pa.int16(), False, "lane, from 1"),
    ("direction", _WORD, False, "direction as the station says it"),
    ("speed_m_h", pa.int32(), False, "speed, m/h; 0 where unknown, which lies in no certificate's range"),
    ("gross_kg", pa.int32(), False, "gross mass as measured"),
    ("axle_load_kg", _list(pa.int32()), False, "load of each axle, front first, 2 to 16 of them"),
    (
        "axle_tyres",
        _list(pa.string()),
        False,
        "tyres of each axle: unknown, single, single-under-425-mm, wide, dual",
    ),
    ("spacing_mm", _list(pa.int32()), False, "from each axle to the next, one fewer than axles"),
    ("kind", _WORD, False, "truck, train or unknown"),
    (
        "drive_axles",
        _list(pa.int8()),
        True,
        "numbers of driven axles, from 1; null where the station cannot tell",
    ),
    ("air_suspension", pa.bool_(), True, "null where not known"),
    ("length_mm", pa.int32(), True, "length of the vehicle"),
    ("u_gross_ppm", pa.int32(), True, "relative standard uncertainty of the gross mass, as declared"),
    ("u_axle_ppm", pa.int32(), True, "the same of an axle load"),
    ("acceleration_mm_s2", pa.int32(), True, "acceleration"),
    ("temperature_mk", pa.int32(), True, "temperature of the strips, millikelvin"),
    ("flags", _list(pa.string()), False, "driving conditions the station flagged, as in the MQTT contract"),
    ("fhwa_class", pa.int8(), True, "FHWA vehicle class 1 to 15; null for passages"),
    (
        "held_reasons",
        _list(pa.string()),
        False,
        "why it was held for statistics only on arrival (clock-unreliable); later screenings keep it so",
    ),
    (
        "context",
        _WORD,
        True,
        "the registry's facts as they stood, in JSON; null: nothing is registered",
    ),
)

FINDINGS = _schema(
    "zhichao/findings/1",
    ("record_id", pa.string(), False, "of the record"),
    ("local_day", pa.date32(), False, "day of the act"),
    ("station", _WORD, False, "station"),
    ("gross_kg", pa.int32(), False, "gross mass as measured"),
    ("outcome", _WORD, False, "within, overloaded, unusable or statistics-only"),
    ("taken_as", _WORD, False, "truck or train: the reading the limit was looked up with"),
    ("limit_kg", pa.int32(), False, "the limit that decides, the site's own included"),
    ("adjudged_kg", pa.int32(), False, "the mass that decides, after deduction and guard band"),
    ("over_kg", pa.int32(), False, "excess of the adjudged mass over the limit"),
    ("reasons", _list(pa.string()), False, "why the weighing is unusable or statistics only"),
    ("doubts", _list(pa.string()), False, "what could not be known, each resolved to the party's favour"),
    (
        "unconfirmed_axle_sum_kg",
        pa.int32(),
        True,
        "the lower limit that rows not yet confirmed would give; null where they would not lower it",
    ),
    ("axle_flags", _list(pa.int8()), False, "first axles, from 1, of groups over their axle-group limit"),
    ("tables", _WORD, False, "SHA-256 of the limit tables used, with the confirmed rows where there are any"),
)
"""The rule's figures (formula, guard_k_milli, ...) and the algorithm stand in the file's metadata."""

WEIGHED_AXLES = _schema(
    "zhichao/weighed-axles/1",
    ("pass_id", pa.string(), False, "of the pass: a vehicle weighed at rest that then drove over the strips"),
    ("axle", pa.int8(), False, "number of the axle, from 1 without a gap, so that a lost row is seen"),
    ("axle_type", _WORD, False, "steer, drive or trailer"),
    ("group", pa.int8(), False, "number of the axle group, from 1 at the front"),
    ("reference_kg", pa.float64(), False, "static load"),
    ("measured_kg", pa.float64(), True, "what the station said; null where it said nothing"),
    ("speed_m_s", pa.float64(), False, "speed of the pass"),
    ("temperature_k", pa.float64(), True, "temperature of the strips"),
    (
        "strip_load_n",
        _list(pa.float64()),
        False,
        "what each strip measured, before calibration; NaN where nothing",
    ),
)

SCHEMAS = (RECORDS, FINDINGS, WEIGHED_AXLES)


def name_of(schema: pa.Schema) -> str:
    """Return a schema's name with its version, e.g. `zhichao/records/1`."""
    return str(schema.metadata[SCHEMA_KEY].decode())


def described(schema: pa.Schema) -> Iterator[Column]:
    """Yield a schema's columns in words."""
    for field in schema:
        yield Column(
            field.name, type_in_words(field.type), field.nullable, field.metadata[b"meaning"].decode()
        )


def type_in_words(kind: pa.DataType) -> str:
    """Return a type as the reference page and refusals name it; how strings are packed is no matter.

    >>> type_in_words(pa.list_(pa.int32())), type_in_words(pa.dictionary(pa.int8(), pa.string()))
    ('list of int32', 'string')
    """
    if pa.types.is_dictionary(kind):
        return type_in_words(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {type_in_words(kind.value_type)}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "string"
    return str(kind)
