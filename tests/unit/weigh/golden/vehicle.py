"""One lorry of five axles over eight strips, drawn in whole numbers: the same bytes on any machine.

Pulses are quartic bumps, noise is from a linear congruential generator (Knuth,
MMIX). Loads differ from strip to strip as a rough road makes them.
"""

import struct

from domain.events import Loop, SampleType, Strip, Tyres, Waveform

RATE_HZ, SAMPLES = 2_500, 7_500
PLACES_MM = (0, 3_100, 4_000, 6_600, 7_400, 10_100, 11_000, 14_200)
AXLES_MM = (0, 3_600, 10_200, 11_510, 12_820)
"""Behind the first axle."""
LOADS_KG = (6_800, 11_400, 8_900, 9_100, 9_300)
SPEED_MM_S = 19_000
WIDTH_UM, CONTACT_UM = 53_000, 240_000
_FIRST_AT_S = 1
_NEWTON_MILLI = 9_807
SCALE_UN = 2_000_000
_ROUGH_MILLI = (12, -25, 8, 31, -17, -4, 22, -29)


def waveform() -> tuple[Waveform, bytes]:
    """Return the message's description and its samples, int16, strip after strip."""
    counts = [_strip(strip, place) for strip, place in enumerate(PLACES_MM)]
    samples = b"".join(struct.pack(f"<{SAMPLES}h", *row) for row in counts)
    loops = [_loop(position) for position in (-1_500, 15_700)]
    return (
        Waveform(
            match_key="golden",
            lane=1,
            direction="up",
            sample_rate_hz=RATE_HZ,
            sample_count=SAMPLES,
            sample_type=SampleType.INT16,
            strip_width_um=WIDTH_UM,
            strips=tuple(Strip(position_mm=place, scale_un=SCALE_UN) for place in PLACES_MM),
            lead=loops[0],
            trail=loops[1],
            temperature_mk=296_400,
            tyres=(Tyres.SINGLE, *[Tyres.DUAL] * 4),
        ),
        samples,
    )


def _strip(strip: int, place_mm: int) -> list[int]:
    state, row = 1_000 + strip, []
    for _ in range(SAMPLES):
        state = (6_364_136_223_846_793_005 * state + 1_442_695_040_888_963_407) % 2**64
        row.append(40 + (state >> 60) - 8)
    half_us = (WIDTH_UM + CONTACT_UM) * 1_000 // SPEED_MM_S // 2
    for axle, (behind_mm, load_kg) in enumerate(zip(AXLES_MM, LOADS_KG, strict=True)):
        centre_us = _FIRST_AT_S * 1_000_000 + (place_mm + behind_mm) * 1_000_000 // SPEED_MM_S
        felt = load_kg * (1_000 + _ROUGH_MILLI[(strip + 3 * axle) % len(_ROUGH_MILLI)])
        # The area of (1 - x^2)^2 over its half width is 16/15: load = v / L times the area.
        peak_mn = felt * _NEWTON_MILLI // 1_000 * WIDTH_UM // SPEED_MM_S * 1_000 // half_us * 15 // 16
        for sample in range(SAMPLES):
            away_us = sample * 1_000_000 // RATE_HZ - centre_us
            if abs(away_us) < half_us:
                bump = half_us * half_us - away_us * away_us
                row[sample] += peak_mn * bump // half_us**2 * bump // half_us**2 * 1_000 // SCALE_UN
    return row


def _loop(position_mm: int) -> Loop:
    """Return a loop of two metres that the body, a metre longer at either end, held."""
    on_mm, off_mm = position_mm - 1_000 - 1_000, position_mm + 1_000 + AXLES_MM[-1] + 1_000
    first_us = _FIRST_AT_S * 1_000_000
    return Loop(
        position_mm=position_mm,
        on_us=first_us + on_mm * 1_000_000 // SPEED_MM_S,
        off_us=first_us + off_mm * 1_000_000 // SPEED_MM_S,
        detuning_milli=1_000,
    )
