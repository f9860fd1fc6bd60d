"""What a batch must be before it is looked at: a malformed one is refused whole, with the reason."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputRefused
from domain.refusals import RefusalCode
from weigh.waveform.layout import Layout, Loops

DTYPES = (np.dtype(np.float32), np.dtype(np.int16))

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def samples_from_buffer(
    data: bytes | bytearray | memoryview, *, dtype: str, strips: int, count: int
) -> NDArray[Any]:
    """Return one vehicle's samples as a batch of one, without a copy.

    Parameters
    ----------
    data
        Little-endian, all of the first strip, then all of the second, and so on.
    dtype
        "float32" or "int16".
    strips, count
        S and N.

    Returns
    -------
    Shape (1, S, N), read-only.

    Examples
    --------
    >>> samples_from_buffer(bytes(4), dtype="int16", strips=2, count=1).tolist()
    [[[0], [0]]]
    """
    if dtype not in ("float32", "int16"):
        raise InputRefused(RefusalCode.FIELD_INVALID, f"samples of type {dtype!r}; use float32 or int16")
    wire: np.dtype[Any] = np.dtype(dtype).newbyteorder("<")
    length, meant = memoryview(data).nbytes, strips * count * wire.itemsize
    if strips < 1 or count < 1 or length != meant:
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"{length} bytes of samples; {strips} strips of {count} {dtype} are {meant}",
        )
    samples: NDArray[Any] = np.frombuffer(data, dtype=wire).astype(np.dtype(dtype), copy=False)
    return samples.reshape(1, strips, count)


def checked_samples(samples: NDArray[Any], layout: Layout, loops: Loops) -> NDArray[Any]:
    """Return samples (B, S, N), contiguous, if they are what the layout and the loops speak of."""
    if samples.dtype not in DTYPES:
        raise InputRefused(RefusalCode.FIELD_INVALID, f"samples of {samples.dtype}; use float32 or int16")
    if samples.ndim != 3:
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"samples of shape {samples.shape}; vehicles, strips, samples are meant",
        )
    if samples.shape[1] != layout.strips:
        raise InputRefused(
            RefusalCode.FIELD_INVALID, f"samples of {samples.shape[1]} strips; the layout has {layout.strips}"
        )
    if loops.vehicles != samples.shape[0]:
        raise InputRefused(
            RefusalCode.FIELD_INVALID, f"loops of {loops.vehicles} vehicles, samples of {samples.shape[0]}"
        )
    return np.ascontiguousarray(samples)


def checked_scale(samples: NDArray[Any], scale: Floats | None, strips: int) -> Floats:
    """Return newtons a count (S,); ones where float samples come without."""
    if scale is None:
        if samples.dtype.kind == "i":
            raise InputRefused(RefusalCode.FIELD_MISSING, "int16 samples need a scale for every strip")
        return np.ones(strips)
    checked = np.asarray(scale, dtype=np.float64)
    if checked.shape != (strips,) or not np.all(np.isfinite(checked) & (checked > 0)):
        raise InputRefused(
            RefusalCode.FIELD_INVALID, f"a scale of {checked.tolist()}; {strips} figures above zero are meant"
        )
    return checked


def checked_service(in_service: Bools | None, strips: int) -> Bools:
    """Return which strips are to be used (S,); all where nothing is said."""
    if in_service is None:
        return np.ones(strips, dtype=np.bool_)
    checked = np.asarray(in_service, dtype=np.bool_)
    if checked.shape != (strips,):
        raise InputRefused(
            RefusalCode.FIELD_INVALID, f"{checked.size} strips in service; the layout has {strips}"
        )
    return checked


def loops_impossible(loops: Loops) -> Bools:
    """Return which vehicles' loops contradict time (B,): free before occupied, or infinite."""
    wrong = np.zeros(loops.vehicles, dtype=np.bool_)
    for on, off in (
        (loops.lead_on, loops.lead_off),
        (loops.trail_on, loops.trail_off),
        (loops.left_on, loops.left_off),
        (loops.right_on, loops.right_off),
    ):
        wrong |= (off <= on) | np.isinf(on) | np.isinf(off) | (np.isnan(on) & ~np.isnan(off))
    wrong |= np.isinf(loops.lead_detuning) | np.isinf(loops.trail_detuning)
    return wrong | (loops.lead_detuning < 0) | (loops.trail_detuning < 0)
