"""Units are integers in scaled SI, so that every figure can be recomputed to the last digit.

Masses are kilograms (`_kg`), lengths millimetres (`_mm`), speeds metres per hour (`_m_h`: a km/h
figure with up to three decimals becomes exactly an integer), ratios parts per million (`_ppm`),
times UTC. Rounding, where a rule needs it, is always to the party's favour and said where it is done.
"""

from datetime import UTC, datetime

PPM = 1_000_000


def ppm_from_percent(percent: float) -> int:
    """Return a percentage (0-100) as whole parts per million, rounded half to even.

    >>> ppm_from_percent(1.5)
    15000
    """
    return round(percent * 10_000)


def utc_text(moment: datetime) -> str:
    """Return RFC 3339 text in UTC with microseconds, the one form used in every stored document.

    >>> utc_text(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    '2026-11-23T08:00:00.000000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
