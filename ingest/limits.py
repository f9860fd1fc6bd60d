"""How much of anything a message may hold, and how wrong a clock may be.

The defaults are published in docs/reference/mqtt.md; a test keeps the two equal.
"""

from dataclasses import dataclass
from datetime import timedelta

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Limits:
    """Bounds on input. Everything beyond one is refused by name, never truncated."""

    max_payload_bytes: int = 16 * MIB
    """Whole MQTT payload, header frame included."""
    max_image_bytes: int = 12 * MIB
    max_image_pixels: int = 50_000_000
    max_waveform_bytes: int = 8 * MIB
    """A waveform message's body; 8 strips at 5 kHz for 1.5 s take 240 kB."""
    max_json_bytes: int = 64 * KIB
    """A weigh record, a status, a framed header or a waveform's description."""
    max_json_values: int = 10_000
    """Objects, arrays and their elements in one JSON document."""
    max_json_depth: int = 16
    clock_tolerance: timedelta = timedelta(hours=24)
    """How far `sent_at` may lie from the platform's clock on arrival."""
    capture_ahead: timedelta = timedelta(seconds=1)
    """How far `captured_at` may lie after `sent_at` (two clocks in one cabinet)."""
    spool_horizon: timedelta = timedelta(days=30)
    """How old a capture may be when it at last arrives from the station's spool."""
