"""Memory asked for before it is needed: the next strip's samples arrive while this strip is worked on.

Without it the memory rests while pulses are looked for and the processor rests while samples arrive, and the
two times add up. Asking changes no figure.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from weigh._jit import njit

_LINE = 64
"""Bytes that arrive at once. Where a line is longer it is asked for more than once, which does no harm."""

_INTO_L2 = 2

_SHARES = 20
"""Of a row, asked for between the steps of work on another: all at once they would wait for one another."""


@intrinsic
def _prefetch(_context: Any, values: Any, _index: Any) -> Any:
    """Ask for the line of memory values[index] lies in; nothing happens where there is none."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        where = builder.bitcast(builder.gep(array.data, [arguments[1]]), pointer)
        builder.call(prefetch, [where, number(0), number(_INTO_L2), number(1)])
        return context.get_dummy_value()

    return types.void(values, types.intp), code


_ask: Any = _prefetch
"""The same for the type checker, which does not know that compiled code leaves the context out."""


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def ask_for(row: Any, first: int, stop: int) -> None:
    """Ask for row[first:stop] of a contiguous row."""
    for index in range(first, stop, _LINE // row.itemsize):
        _ask(row, index)


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def ask_on(row: Any, first: int) -> Any:
    """Ask for the next share of a row; return where the one after begins."""
    stop = min(first + row.size // _SHARES, row.size)
    ask_for(row, first, stop)
    return stop
