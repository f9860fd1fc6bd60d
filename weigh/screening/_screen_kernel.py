"""The compiled pass over the records.

It works in chunks that stay in the processor's nearest memory, one axle of a whole chunk after another and
without branches, so that the compiler makes vector instructions of it. What the law says of a configuration
is not here: a record's configuration becomes a key, and the key leads to its row of the readings
(`weigh.screening.readings`). The law's figures come as arguments, as they differ by day.
"""
# ruff: noqa: PLR0917 - compiled functions know no keyword-only arguments

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weigh._jit import njit
from weigh.screening._formulas import (
    BOUND,
    DEDUCT,
    LIMIT,
    after_deduction,
    after_guard,
    exceeds,
    guard_factor,
    terms,
)
from weigh.screening._key_table import KEY_WORDS, find_slot, home_slot

CHUNK = 2_048
"""Records whose columns and notes the second memory holds; fewer make more, shorter reads."""
MAX_AXLES = 16

SIZE_SHIFT = 14
LIMIT_MASK = (1 << SIZE_SHIFT) - 1
GROUP_BITS = 16
GROUPS_A_WORD = 4
GROUP_WORDS = MAX_AXLES // GROUPS_A_WORD
"""A group's limit, in units of `Memory.limit_unit_kg`, and above it its number of axles; four in a word."""

PART_BITS = 20
PART_MASK = (1 << PART_BITS) - 1
"""What the table of keys says of one: number of its reading plus one, of its head, and of its groups."""

EDGES_AT_ONCE = 5
NO_EDGE = 2**16 - 1
"""The edges of the classes of spacing come in fives, filled up with one that no spacing reaches."""

HEAD_LIMIT, HEAD_LOWER, HEAD_DOUBTS, HEAD_TRAIN = range(4)
HEAD = 4

NO_LIMIT = 2**31 - 1
AXLE_COUNT, LOAD, TYRES, SPACING, KIND, AIR, GROSS, SPEED, LENGTH, U_GROSS, U_AXLE, FLAGS, LANE = range(13)
"""Rows of `Rule.admitted`."""

MPE_BITS, SPEED_BITS, LIMIT_BITS, WHY_BITS, DIRECTION_BITS = 20, 19, 31, 32, 17
MAX_SPEED_AT, DIRECTION_AT, SITE_LANES_AT = MPE_BITS + SPEED_BITS, WHY_BITS, WHY_BITS + DIRECTION_BITS
CONTEXT = 4
"""Words of a context, the fourth left empty. First: error to take off, slowest speed admitted, and slowest
that is not any more. Second: site limit, `NO_LIMIT` where there is none, and lanes admitted, a bit each.
Third: bits of what is missing, direction, number of lanes of the site."""


class Rule(NamedTuple):
    """The decision rule, and the figures and reason bits of `weigh.screening.usability`."""

    formula: int
    guard_k_milli: int
    default_u_gross_ppm: int
    default_u_axle_ppm: int
    max_axle_kg: int
    min_first_spacing_mm: int
    min_wheelbase_mm: int
    max_length_mm: int
    spacing_error_mm: int
    speed_bit: int
    lane_bit: int
    gross_bit: int
    axle_bit: int
    sum_bit: int
    first_spacing_bit: int
    wheelbase_bit: int
    length_bit: int
    direction_bit: int
    site_lane_bit: int
    unusable_bits: int
    undeclared_bit: int
    admitted: NDArray[np.int64]
    """Least and greatest value of the columns that `record_columns.ADMITTED` names, in its order."""


class Memory(NamedTuple):
    """Edges of the classes of spacings, and of a `weigh.screening.readings.Snapshot` what decides."""

    edges_mm: NDArray[np.uint16]
    slots: NDArray[np.int64]
    heads: NDArray[np.int32]
    groups: NDArray[np.int64]
    limit_unit_kg: int
    tyres: int


_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def screen_rows(
    begin_row: Any,
    end_row: Any,
    columns: Any,
    contexts: Any,
    memory: Any,
    rule: Any,
    findings: Any,
    reading_of: Any,
    missed: Any,
    missed_keys: Any,
) -> Any:
    """Screen rows; return how many keys were missing, and the begin of a chunk with an odd row, or -1.

    Parameters
    ----------
    begin_row, end_row
        The rows from the first up to, not with, the last.
    columns, findings
        The arrays of `RecordColumns` and of `BulkFindings`, by name.
    contexts
        (C, CONTEXT) int64.
    memory, rule
        `Memory` and `Rule`.
    reading_of
        (B,) int32, filled with the number of each record's reading; left out where it is empty.
    missed, missed_keys
        (B,), (B, KEY_WORDS) int64, filled from `begin_row` on with rows and keys that are not in the
        memory; the findings of such rows are void.
    """
    width = columns.load_kg.shape[0]
    room = min(CHUNK, end_row - begin_row)
    codes = np.zeros((8 * (KEY_WORDS - 1), room), dtype=np.uint8)
    key = np.zeros((KEY_WORDS, room), dtype=np.int64)
    known = np.zeros(room, dtype=np.int64)
    others = np.zeros(room + 1, dtype=np.int64)
    facts = np.zeros((3, room), dtype=np.int64)
    classes = np.zeros(room, dtype=np.uint16)
    error = np.zeros(room, dtype=np.int64)
    sums = np.zeros((3, room), dtype=np.int32)
    scale = np.zeros((4, room), dtype=np.int64)
    group = np.zeros((GROUP_WORDS, room), dtype=np.int64)
    misses = 0
    for begin in range(begin_row, end_row, CHUNK):
        end = min(begin + CHUNK, end_row)
        count = end - begin
        odd = _measure(begin, end, columns, rule, memory, classes, codes, sums)
        if odd | _is_outside(begin, end, columns, rule, contexts.shape[0]):
            return misses, begin
        _pack(codes, key[0, :count], 0)
        _pack(codes, key[1, :count], 8)
        _pack_rest(begin, end, columns, key[2])
        _look_up(memory.slots, key[0, :count], key[1, :count], key[2, :count], others, known)
        for i in range(count):
            if known[i] == 0:
                missed[begin_row + misses] = begin + i
                for word in range(KEY_WORDS):
                    missed_keys[begin_row + misses, word] = key[word, i]
                misses += 1
        if memory.heads.shape[0] == 0:
            continue
        if len(reading_of) > 0:
            for i in range(count):
                reading_of[begin + i] = max((known[i] & PART_MASK) - 1, 0)
        _read(begin, end, columns, memory.heads, rule, known, findings)
        _place(begin, end, columns, contexts, rule, facts, findings, error)
        _weigh(begin, end, columns, rule, sums, findings)
        _lengthen(begin, end, columns, rule, sums[2], findings)
        _adjudge(begin, end, columns, rule, error, findings)
        _order(findings.reasons[begin:end], findings.over_kg[begin:end], rule, findings.outcome[begin:end])
        _flag_axles(begin, end, width, columns, memory, rule, known, error, scale, group, findings)
    return misses, -1


@_compiled
def _measure(
    begin: Any, end: Any, columns: Any, rule: Any, memory: Any, classes: Any, codes: Any, sums: Any
) -> Any:
    """Write the code of each axle, and the sum of loads, heaviest axle and wheelbase; say if any is odd."""
    width = columns.load_kg.shape[0]
    axle_count = columns.axle_count[begin:end]
    sums[:] = 0
    odd = False
    for axle in range(width):
        load_kg, tyres = columns.load_kg[axle, begin:end], columns.tyres[axle, begin:end]
        odd |= _add_axle(axle, axle_count, load_kg, tyres, rule, sums[0], sums[1])
        if axle < width - 1:
            spacing_mm = columns.spacing_mm[axle, begin:end]
            odd |= _add_gap(axle, axle_count, spacing_mm, rule, sums[2])
            _write_codes(spacing_mm, tyres, memory, classes, codes[axle])
        else:
            _write_last_codes(tyres, codes[axle])
    return odd


@_compiled
def _add_axle(
    axle: Any, axle_count: Any, load_kg: Any, tyres: Any, rule: Any, total_kg: Any, heaviest_kg: Any
) -> Any:
    together, heaviest = np.int32(0), np.int32(0)
    least, most, astray = np.int8(0), np.int8(0), np.uint8(0)
    for i in range(len(load_kg)):
        total_kg[i] += load_kg[i]
        heaviest_kg[i] = max(heaviest_kg[i], load_kg[i])
        together |= load_kg[i]  # below 0 where any is
        heaviest = max(heaviest, load_kg[i])
    for i in range(len(load_kg)):
        least = min(least, tyres[i])
        most = max(most, tyres[i])
    for i in range(len(load_kg)):
        astray |= (tyres[i] >= 0) != (axle < axle_count[i])
    for i in range(len(load_kg)):
        astray |= (tyres[i] < 0) & (load_kg[i] != 0)
    kg, tyre = rule.admitted[LOAD], rule.admitted[TYRES]
    return (together < 0) | (heaviest > kg[1]) | (least < tyre[0]) | (most > tyre[1]) | (astray != 0)


@_compiled
def _add_gap(axle: Any, axle_count: Any, spacing_mm: Any, rule: Any, wheelbase_mm: Any) -> Any:
    widest, astray = np.uint16(0), np.uint8(0)
    for i in range(len(spacing_mm)):
        wheelbase_mm[i] += spacing_mm[i]
        widest = max(widest, spacing_mm[i])
    for i in range(len(spacing_mm)):
        astray |= (spacing_mm[i] > 0) != (axle + 1 < axle_count[i])
    return (widest > rule.admitted[SPACING, 1]) | (astray != 0)


@_compiled
def _write_codes(spacing_mm: Any, tyres: Any, memory: Any, classes: Any, codes: Any) -> None:
    """Write one plus the tyres plus so many times the class: how many edges are not above the spacing."""
    edges_mm = memory.edges_mm
    classes[: len(spacing_mm)] = 0
    for edge in range(0, len(edges_mm), EDGES_AT_ONCE):  # comparing costs less than looking up
        first, second, third = edges_mm[edge], edges_mm[edge + 1], edges_mm[edge + 2]
        fourth, fifth = edges_mm[edge + 3], edges_mm[edge + 4]
        for i in range(len(spacing_mm)):
            mm = spacing_mm[i]
            three = np.uint16(mm >= first) + np.uint16(mm >= second) + np.uint16(mm >= third)
            classes[i] += three + np.uint16(mm >= fourth) + np.uint16(mm >= fifth)
    times = np.uint8(memory.tyres)
    for i in range(len(spacing_mm)):
        codes[i] = np.uint8(1) + times * np.uint8(classes[i]) + np.uint8(tyres[i])


@_compiled
def _write_last_codes(tyres: Any, codes: Any) -> None:
    for i in range(len(tyres)):
        codes[i] = np.uint8(1) + np.uint8(tyres[i])


@_compiled
def _pack(codes: Any, word: Any, first: Any) -> None:
    for i in range(len(word)):
        packed = np.int64(codes[first, i])
        for axle in range(1, 8):
            packed |= np.int64(codes[first + axle, i]) << (8 * axle)
        word[i] = packed


@_compiled
def _pack_rest(begin: Any, end: Any, columns: Any, word: Any) -> None:
    axle_count, driven = columns.axle_count[begin:end], columns.driven[begin:end]
    kind, air = columns.kind[begin:end], columns.air[begin:end]
    for i in range(len(driven)):
        counted = (np.int64(1) << np.int64(axle_count[i])) - 2
        word[i] = (driven[i] & counted) | (np.int64(kind[i]) << 16) | ((np.int64(air[i]) + 1) << 18)


@_compiled
def _is_outside(begin: Any, end: Any, columns: Any, rule: Any, contexts: Any) -> Any:
    """Whether any figure that is not an axle's is outside what a weigh record admits."""
    admitted = rule.admitted
    return (
        _beyond(columns.axle_count[begin:end], admitted[AXLE_COUNT, 0], columns.load_kg.shape[0])
        | _beyond(columns.kind[begin:end], admitted[KIND, 0], admitted[KIND, 1])
        | _beyond(columns.air[begin:end], admitted[AIR, 0], admitted[AIR, 1])
        | _beyond(columns.gross_kg[begin:end], admitted[GROSS, 0], admitted[GROSS, 1])
        | _beyond(columns.speed_m_h[begin:end], admitted[SPEED, 0], admitted[SPEED, 1])
        | _beyond(columns.length_mm[begin:end], admitted[LENGTH, 0], admitted[LENGTH, 1])
        | _beyond(columns.u_gross_ppm[begin:end], admitted[U_GROSS, 0], admitted[U_GROSS, 1])
        | _beyond(columns.u_axle_ppm[begin:end], admitted[U_AXLE, 0], admitted[U_AXLE, 1])
        | _beyond(columns.flags[begin:end], admitted[FLAGS, 0], admitted[FLAGS, 1])
        | _beyond(columns.lane[begin:end], admitted[LANE, 0], admitted[LANE, 1])
        | _beyond(columns.context[begin:end], 0, contexts - 1)
    )


@_compiled
def _beyond(values: Any, lowest: Any, highest: Any) -> Any:
    least, most = values[0], values[0]
    for i in range(len(values)):
        least = min(least, values[i])
        most = max(most, values[i])
    return (least < lowest) | (most > highest)


@_compiled
def _look_up(slots: Any, first: Any, second: Any, third: Any, others: Any, known: Any) -> None:
    """Write what is known of each key, or 0."""
    for i in range(len(first)):
        others[i] = home_slot(slots, first[i], second[i], third[i])
    elsewhere: Any = 0
    for i in range(len(first)):  # without a branch, so that many slots are on their way at once
        slot = others[i]
        at_home = (slots[slot, 0] == first[i]) & (slots[slot, 1] == second[i]) & (slots[slot, 2] == third[i])
        known[i] = slots[slot, KEY_WORDS]
        others[elsewhere] = i
        elsewhere += np.int64(not at_home)
    for place in range(elsewhere):
        i = others[place]
        known[i] = slots[find_slot(slots, first[i], second[i], third[i]), KEY_WORDS]


@_compiled
def _read(begin: Any, end: Any, columns: Any, heads: Any, rule: Any, known: Any, findings: Any) -> None:
    """Write what follows from the configuration alone."""
    u_gross_ppm, limit_kg = columns.u_gross_ppm[begin:end], findings.limit_kg[begin:end]
    lower_kg, doubts = findings.unconfirmed_axle_sum_kg[begin:end], findings.doubts[begin:end]
    train, flat = findings.train[begin:end], heads.reshape(-1)
    for i in range(len(limit_kg)):
        head = ((known[i] >> PART_BITS) & PART_MASK) * HEAD
        limit_kg[i] = flat[head + HEAD_LIMIT]
        lower_kg[i] = flat[head + HEAD_LOWER]
        doubts[i] = flat[head + HEAD_DOUBTS] | rule.undeclared_bit * (u_gross_ppm[i] == 0)
        train[i] = flat[head + HEAD_TRAIN] != 0


@_compiled
def _place(
    begin: Any, end: Any, columns: Any, contexts: Any, rule: Any, facts: Any, findings: Any, error: Any
) -> None:
    """Write what follows from the place and its papers: site limit, error to take off, first reasons."""
    speed_m_h, lanes = columns.speed_m_h[begin:end], columns.lane[begin:end]
    directions, places = columns.direction[begin:end], columns.context[begin:end]
    limit_kg, reasons = findings.limit_kg[begin:end], findings.reasons[begin:end]
    flat, papers, bounds, sites = contexts.reshape(-1), facts[0], facts[1], facts[2]
    for i in range(len(places)):
        place = np.int64(places[i]) * CONTEXT
        papers[i], bounds[i], sites[i] = flat[place], flat[place + 1], flat[place + 2]
    for i in range(len(places)):
        lane, paper, bound, site = np.int64(lanes[i]), papers[i], bounds[i], sites[i]
        speed = np.int64(speed_m_h[i])
        error[i] = paper & ((1 << MPE_BITS) - 1)
        limit_kg[i] = min(np.int64(limit_kg[i]), bound & ((1 << LIMIT_BITS) - 1))
        too_slow = speed < (paper >> MPE_BITS) & ((1 << SPEED_BITS) - 1)
        too_fast = speed >= paper >> MAX_SPEED_AT
        why = np.int64(site & ((1 << WHY_BITS) - 1))
        why |= rule.speed_bit * np.int64(too_slow | too_fast)
        why |= rule.lane_bit * (1 - ((bound >> (LIMIT_BITS + lane - 1)) & 1))
        registered = (site >> DIRECTION_AT) & ((1 << DIRECTION_BITS) - 1)
        why |= rule.direction_bit * np.int64(np.int64(directions[i]) != registered)
        why |= rule.site_lane_bit * np.int64(lane > site >> SITE_LANES_AT)
        reasons[i] = why


@_compiled
def _weigh(begin: Any, end: Any, columns: Any, rule: Any, sums: Any, findings: Any) -> None:
    """Add what the station flags, and masses that cannot be."""
    gross_kg, axle_count = columns.gross_kg[begin:end], columns.axle_count[begin:end]
    flags, reasons = columns.flags[begin:end], findings.reasons[begin:end]
    max_axle_kg = np.int32(rule.max_axle_kg)
    gross_bit, axle_bit = np.uint32(rule.gross_bit), np.uint32(rule.axle_bit)
    sum_bit = np.uint32(rule.sum_bit)
    for i in range(len(reasons)):
        gross = gross_kg[i]
        why = np.uint32(flags[i])
        why |= gross_bit * np.uint32((gross == 0) | (gross > max_axle_kg * np.int32(axle_count[i])))
        why |= axle_bit * np.uint32(sums[1, i] > max_axle_kg)
        # Whole numbers: d > max(100, floor(m / 100)) says 100 d > max(10000, m).
        why |= sum_bit * np.uint32(100 * abs(gross - sums[0, i]) > max(10_000, gross))
        reasons[i] |= why


@_compiled
def _lengthen(begin: Any, end: Any, columns: Any, rule: Any, wheelbase_mm: Any, findings: Any) -> None:
    """Add geometry that no truck has."""
    axle_count, first_mm = columns.axle_count[begin:end], columns.spacing_mm[0, begin:end]
    length_mm, reasons = columns.length_mm[begin:end], findings.reasons[begin:end]
    first_bit, wheelbase_bit = np.uint32(rule.first_spacing_bit), np.uint32(rule.wheelbase_bit)
    length_bit, error_mm = np.uint32(rule.length_bit), np.int32(rule.spacing_error_mm)
    for i in range(len(reasons)):
        wheelbase, length = wheelbase_mm[i], length_mm[i]
        shortest = wheelbase - error_mm * (np.int32(axle_count[i]) - 1)
        why = first_bit * np.uint32(first_mm[i] + error_mm < rule.min_first_spacing_mm)
        why |= wheelbase_bit * np.uint32(wheelbase + error_mm < rule.min_wheelbase_mm)
        too_long = (length > rule.max_length_mm) | ((length > 0) & (shortest > length))
        reasons[i] |= why | length_bit * np.uint32(too_long)


@_compiled
def _adjudge(begin: Any, end: Any, columns: Any, rule: Any, error: Any, findings: Any) -> None:
    gross_kg, u_ppm = columns.gross_kg[begin:end], columns.u_gross_ppm[begin:end]
    limit_kg, adjudged_kg = findings.limit_kg[begin:end], findings.adjudged_kg[begin:end]
    over_kg = findings.over_kg[begin:end]
    # The formula is a constant in each of the three loops compiled.
    if rule.formula == DEDUCT:
        _adjudge_by(gross_kg, u_ppm, limit_kg, error, rule, DEDUCT, adjudged_kg, over_kg)
    elif rule.formula == BOUND:
        _adjudge_by(gross_kg, u_ppm, limit_kg, error, rule, BOUND, adjudged_kg, over_kg)
    else:
        _adjudge_by(gross_kg, u_ppm, limit_kg, error, rule, LIMIT, adjudged_kg, over_kg)


@_compiled
def _adjudge_by(
    gross_kg: Any,
    u_ppm: Any,
    limit_kg: Any,
    error: Any,
    rule: Any,
    formula: Any,
    adjudged_kg: Any,
    over_kg: Any,
) -> None:
    for i in range(len(gross_kg)):
        gross, u, limit = np.int64(gross_kg[i]), np.int64(u_ppm[i]), np.int64(limit_kg[i])
        factor = guard_factor(u if u > 0 else rule.default_u_gross_ppm, rule.guard_k_milli)
        mass = min(after_deduction(gross, limit, error[i], formula), after_guard(gross, factor))
        adjudged_kg[i] = mass
        over_kg[i] = max(mass - limit, 0)


@_compiled
def _order(reasons: Any, over_kg: Any, rule: Any, outcome: Any) -> None:
    for i in range(len(outcome)):
        why = reasons[i]
        outcome[i] = 0 if why & rule.unusable_bits else 1 if why else 2 if over_kg[i] > 0 else 3


@_compiled
def _flag_axles(
    begin: Any,
    end: Any,
    width: Any,
    columns: Any,
    memory: Any,
    rule: Any,
    known: Any,
    error: Any,
    scale: Any,
    group: Any,
    findings: Any,
) -> None:
    """Write a bit for each group over its limit, at the group's first axle."""
    load_kg, u_axle_ppm = columns.load_kg, columns.u_axle_ppm[begin:end]
    flags, flat = findings.axle_flags[begin:end], memory.groups.reshape(-1)
    for i in range(len(flags)):
        u = np.int64(u_axle_ppm[i])
        scale[0, i], scale[1, i], scale[2, i] = terms(error[i], rule.formula)
        scale[3, i] = guard_factor(u if u > 0 else rule.default_u_axle_ppm, rule.guard_k_milli)
        flags[i] = 0
    for i in range(len(flags)):
        row = (known[i] >> (2 * PART_BITS)) * GROUP_WORDS
        for word in range(GROUP_WORDS):
            group[word, i] = flat[row + word]
    for axle in range(width):
        second, third = min(axle + 1, width - 1), min(axle + 2, width - 1)
        _flag_one(
            group[axle // GROUPS_A_WORD],
            GROUP_BITS * (axle % GROUPS_A_WORD),
            load_kg[axle, begin:end],
            load_kg[second, begin:end],
            load_kg[third, begin:end],
            memory.limit_unit_kg,
            scale,
            np.uint16(1 << axle),
            flags,
        )


@_compiled
def _flag_one(
    word: Any,
    shift: Any,
    first_kg: Any,
    second_kg: Any,
    third_kg: Any,
    limit_unit_kg: Any,
    scale: Any,
    bit: Any,
    flags: Any,
) -> None:
    for i in range(len(flags)):
        group = word[i] >> shift
        size, limit = (group >> SIZE_SHIFT) & 3, (group & LIMIT_MASK) * limit_unit_kg
        load = first_kg[i] + np.int32(size > 1) * second_kg[i] + np.int32(size > 2) * third_kg[i]
        over = exceeds(np.int64(load), limit, scale[0, i], scale[1, i], scale[2, i], scale[3, i])
        flags[i] |= bit * np.uint16((size > 0) & over)
