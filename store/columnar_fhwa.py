"""W records as rows of `zhichao/records/1`: of no station of ours, in no law of ours, for statistics only."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.columnar_records import list_column, record_batch, word_column
from store.columnar_schemas import RECORDS

_STATE, _CODE = 2, 8


def w_record_batch(
    figures: Mapping[str, Any], *, first_line: int, directions: Sequence[str], kinds: Sequence[str]
) -> pa.RecordBatch:
    """Return W records as records.

    Parameters
    ----------
    figures : arrays by the names of `weigh.fhwa_columns.WColumns`
    first_line : number of the block's first line in its file, from 1
    directions : names by the digit of the direction, from 0
    kinds : truck, train or unknown by FHWA class, from 0
    """
    code, hour, vehicle_class = figures["code"], figures["hour"], figures["vehicle_class"]
    rows = len(hour)
    day = pa.array(figures["day"], type=pa.int32()).cast(pa.date32())
    state, station = _places(code)
    line = pa.array(figures["line"] + first_line).cast(pa.string())
    tyres = pa.repeat(pa.scalar("unknown"), len(figures["load_kg"]))
    empty = pa.ListArray.from_arrays(pa.array([0] * (rows + 1), pa.int32()), pa.array([], pa.string()))
    named_station = pc.binary_join_element_wise("fhwa", state, station, "-")
    columns = {
        "record_id": pc.binary_join_element_wise(named_station, _hours(day, hour), line, "-"),
        "local_day": day,
        "local_hour": pa.array(hour).cast(pa.int8()),
        "station": named_station.dictionary_encode(),
        "lane": pa.array(figures["lane"]).cast(pa.int16()),
        "direction": word_column(figures["direction"], directions),
        "speed_m_h": pa.repeat(pa.scalar(0, pa.int32()), rows),
        "gross_kg": pa.array(figures["gross_kg"]),
        "axle_load_kg": _lists("axle_load_kg", figures["load_kg"], figures["axle_offset"]),
        "axle_tyres": _lists("axle_tyres", tyres, figures["axle_offset"]),
        "spacing_mm": _lists("spacing_mm", figures["spacing_mm"], figures["spacing_offset"]),
        "kind": word_column(pa.array(range(len(kinds))).take(pa.array(vehicle_class)), kinds),
        "fhwa_class": pa.array(vehicle_class).cast(pa.int8()),
        "flags": empty,
        "held_reasons": empty,
    }
    return record_batch(columns)


def _lists(name: str, values: Any, offsets: Any) -> pa.Array:
    return list_column(RECORDS.field(name).type, (values, offsets))


def _places(code: Any) -> tuple[pa.Array, pa.Array]:
    """Return state, as written, and station, without the blanks around it."""
    raw = pa.FixedSizeBinaryArray.from_buffers(pa.binary(_CODE), len(code), [None, pa.py_buffer(code)])
    text = raw.cast(pa.binary()).cast(pa.string())
    station = pc.utf8_trim(pc.utf8_slice_codeunits(text, _STATE, _CODE), " ")
    return pc.utf8_slice_codeunits(text, 0, _STATE), station


def _hours(day: pa.Array, hour: Any) -> pa.Array:
    """Return day and hour as YYYYMMDDHH."""
    encoded = day.dictionary_encode()
    texts = pa.array([f"{one:%Y%m%d}" for one in encoded.dictionary.to_pylist()], pa.string())
    hours = pa.array([f"{one:02}" for one in range(24)])
    return pc.binary_join_element_wise(texts.take(encoded.indices), hours.take(pa.array(hour)), "")
