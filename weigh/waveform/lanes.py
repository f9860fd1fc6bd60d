"""Sixteen values at once, where the compiler finds no good vectors by itself.

Every sum is added in the one order written here, whatever the processor: the bits are the same on each, and
a processor without vectors so long takes shorter ones. Indices are the caller's care, as in any kernel.
"""
# ruff: noqa: PLR0917 - compiled functions know no keyword-only arguments

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16

_BIT, _INT32, _INT64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_NUMBERS = ir.VectorType(_INT64, LANES)


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any, more: int = 0) -> Any:
    """Return where sixteen of an array's values lie."""
    data = context.make_array(kind)(context, builder, array).data
    first = builder.gep(data, [builder.add(index, ir.Constant(_INT64, more))])
    return builder.bitcast(first, ir.VectorType(context.get_data_type(kind.dtype), LANES).as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, index: Any, more: int = 0) -> Any:
    """Return sixteen of an array's values as float32."""
    place = _place(context, builder, kind, array, index, more)
    values = builder.load(place, align=kind.dtype.bitwidth // 8)
    return builder.sitofp(values, _FLOATS) if isinstance(kind.dtype, types.Integer) else values


def _load_all(
    context: Any, builder: Any, kind: Any, array: Any, index: Any, vectors: int = LANES
) -> list[Any]:
    return [_load(context, builder, kind, array, index, LANES * k) for k in range(vectors)]


def _store(context: Any, builder: Any, kind: Any, array: Any, index: Any, values: Any) -> None:
    builder.store(values, _place(context, builder, kind, array, index), align=4)


def _pick(builder: Any, first: Any, second: Any, lanes: Any) -> Any:
    """Return some lanes of two vectors, counted through both."""
    lanes = list(lanes)
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes))


def _all(builder: Any, vector: Any, value: Any) -> Any:
    """Return a vector of one value."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INT32, 0))
    return _pick(builder, one, one, [0] * LANES)


def _bits(builder: Any, lanes: Any) -> Any:
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), _INT64)


def _add_neighbours(builder: Any, vectors: list[Any]) -> Any:
    """Return one vector: values next to one another added, and their sums again, until it holds them all."""
    while len(vectors) > 1:
        even, odd = range(0, 2 * LANES, 2), range(1, 2 * LANES, 2)
        vectors = [
            builder.fadd(_pick(builder, first, second, even), _pick(builder, first, second, odd))
            for first, second in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def _add_quarters(builder: Any, four: list[Any]) -> Any:
    """Return four vectors' first quarters, plus their second, third and fourth ones in turn."""
    total = None
    for lane in range(0, LANES, 4):
        lanes = [*range(lane, lane + 4), *range(LANES + lane, LANES + lane + 4)]
        front, back = _pick(builder, four[0], four[1], lanes), _pick(builder, four[2], four[3], lanes)
        quarter = _pick(builder, front, back, range(LANES))
        total = quarter if total is None else builder.fadd(total, quarter)
    return total


@intrinsic
def _sum_fours(_context: Any, values: Any, _at: Any, out: Any, _to: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, (array, at, into, to) = signature.args, arguments
        sums = _add_neighbours(builder, _load_all(context, builder, kinds[0], array, at, vectors=4))
        _store(context, builder, kinds[2], into, to, sums)
        return context.get_dummy_value()

    return types.void(values, types.intp, out, types.intp), code


@intrinsic
def _sum_sixteens(_context: Any, values: Any, _at: Any, out: Any, _to: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, (array, at, into, to) = signature.args, arguments
        sums = _add_neighbours(builder, _load_all(context, builder, kinds[0], array, at))
        _store(context, builder, kinds[2], into, to, sums)
        return context.get_dummy_value()

    return types.void(values, types.intp, out, types.intp), code


@intrinsic
def _sum_stretches(
    _context: Any, values: Any, _at: Any, _less: Any, out: Any, squares: Any, _to: Any
) -> Any:  # fmt: skip
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, (array, at, less, into, into_squares, to) = signature.args, arguments
        level = _all(builder, _FLOATS, less)
        off = [builder.fsub(values, level) for values in _load_all(context, builder, kinds[0], array, at)]
        square = [builder.fmul(values, values) for values in off]
        for vectors, kind, place in ((off, kinds[3], into), (square, kinds[4], into_squares)):
            parts = [_add_quarters(builder, vectors[k : k + 4]) for k in range(0, LANES, 4)]
            _store(context, builder, kind, place, to, _add_neighbours(builder, parts))
        return context.get_dummy_value()

    return types.void(values, types.intp, types.float32, out, squares, types.intp), code


@intrinsic
def _above(_context: Any, values: Any, _at: Any, _level: Any, _tilt: Any, _least: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, level, tilt, least = arguments
        here = builder.fpext(_load(context, builder, signature.args[0], array, at), _DOUBLES)
        index = builder.add(_all(builder, _NUMBERS, at), ir.Constant(_NUMBERS, list(range(LANES))))
        rise = builder.fmul(_all(builder, _DOUBLES, tilt), builder.sitofp(index, _DOUBLES))
        height = builder.fsub(builder.fsub(here, _all(builder, _DOUBLES, level)), rise)
        return _bits(builder, builder.fcmp_ordered(">", height, _all(builder, _DOUBLES, least)))

    return types.int64(values, types.intp, types.float64, types.float64, types.float64), code


@intrinsic
def _equal(_context: Any, values: Any, _at: Any, _value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        here = _load(context, builder, signature.args[0], *arguments[:2])
        return _bits(builder, builder.fcmp_ordered("==", here, _all(builder, _FLOATS, arguments[2])))

    return types.int64(values, types.intp, types.float32), code


@intrinsic
def _greatest(_context: Any, values: Any, _at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        here = _load(context, builder, signature.args[0], *arguments)
        for step in (8, 4, 2, 1):
            other = _pick(builder, here, here, [(lane + step) % LANES for lane in range(LANES)])
            here = builder.select(builder.fcmp_ordered(">", here, other), here, other)
        top = builder.extract_element(here, ir.Constant(_INT32, 0))
        return builder.fpext(top, ir.DoubleType())

    return types.float64(values, types.intp), code


@intrinsic
def _lowest_bit(_context: Any, _set: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(_BIT, 0))

    return types.int64(types.int64), code


@intrinsic
def _bits_set(_context: Any, _set: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), code


# The same for the type checker, which does not know that compiled code leaves the context out.

sum_fours: Any = _sum_fours
"""sum_fours(values, at, out, to): write sixteen sums of four values each, (a + b) + (c + d)."""

sum_sixteens: Any = _sum_sixteens
"""sum_sixteens(values, at, out, to): the same of sixteen values, sums of four being added likewise."""

sum_stretches: Any = _sum_stretches
"""sum_stretches(values, at, less, out, squares, to): write the sums, and those of the squares, of sixteen
stretches of sixteen values less one value: each fourth value first, then the four sums as above."""

above: Any = _above
"""above(values, at, level, tilt, least): bits of which of sixteen values[i] - level - tilt i exceed least."""

equal: Any = _equal
"""equal(values, at, value): which of sixteen values are the one given, as bits."""

greatest: Any = _greatest
"""greatest(values, at): the greatest of sixteen finite values, float64."""

lowest_bit: Any = _lowest_bit
"""lowest_bit(bits): the number of the lowest bit set, 64 where none is."""

bits_set: Any = _bits_set
"""bits_set(bits): how many are set."""
