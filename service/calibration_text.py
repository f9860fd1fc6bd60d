"""A calibration as lines for people."""

from domain.units import utc_text
from weigh.calibration.apply import depends_on_temperature
from weigh.calibration.state import AXLE_TYPES, CalibrationState

_ZERO_CELSIUS_MK = 273_150


def calibration_text(state: CalibrationState) -> str:
    """Return what a calibration says."""
    fitted = f"fitted on {state.passes} weighed passes" if state.passes else "set by hand, on no weighed pass"
    milli = (state.conformal_axle_milli, state.conformal_group_milli, state.conformal_gross_milli)
    factors = [each / 1_000 for each in milli]
    return "\n".join(
        [
            f"calibration {state.version} of {state.station}/{state.device}, lane {state.lane}: {fitted}",
            f"valid from {utc_text(state.valid_from)}; digest {state.digest}",
            _unit(state),
            "",
            "strip    place m  alive  gain       %/K     noise %",
            *(_strip(state, strip) for strip in range(len(state.strip_position_mm))),
            "",
            _temperature(state),
            f"road roughness {state.road_roughness_mm3 / 1_000:.1f}e-6 m3 (class A: 16e-6)",
            *(_site(state, row) for row in range(len(AXLE_TYPES))),
            f"gross: u of the site {_range(state.u_site_gross_ppm)} %",
            f"factors on u: axle {factors[0]:.2f}, group {factors[1]:.2f}, gross {factors[2]:.2f}",
        ]
    )


def _unit(state: CalibrationState) -> str:
    unit = "of another unit than newton" if state.other_unit else "newtons"
    if not state.strip_scale_un:
        return f"samples are {unit}"
    low, high = min(state.strip_scale_un), max(state.strip_scale_un)
    return f"samples are counts of {low} to {high} micronewtons" + (f", {unit}" if state.other_unit else "")


def _strip(state: CalibrationState, strip: int) -> str:
    alive = "yes" if state.strip_alive[strip] else "NO"
    return (
        f"{strip + 1:>5}  {state.strip_position_mm[strip] / 1_000:>9.3f}  {alive:>5}  "
        f"{state.strip_gain_ppm[strip] / 1e6:<9.6f}  {state.temperature_slope_ppb_k[strip] / 1e7:>+6.3f}  "
        f"{state.strip_noise_ppm[strip] / 1e4:>7.2f}"
    )


def _temperature(state: CalibrationState) -> str:
    if not depends_on_temperature(state) and len(state.u_gain_ppm) == 1:
        return "temperature: the strips do not depend on it"
    low, at, high = (
        (mk - _ZERO_CELSIUS_MK) / 1_000
        for mk in (state.temperature_min_mk, state.temperature_reference_mk, state.temperature_max_mk)
    )
    return (
        f"temperature: passes from {low:.1f} to {high:.1f} C, gains at {at:.1f} C; "
        f"u of the gain {_range(state.u_gain_ppm)} %"
    )


def _site(state: CalibrationState, row: int) -> str:
    bias, u = state.site_bias_ppm[row], state.u_site_ppm[row]
    return f"{AXLE_TYPES[row]}: bias of the site {_range(bias, sign=True)} %, u {_range(u)} %, by speed"


def _range(figures_ppm: tuple[int, ...], *, sign: bool = False) -> str:
    low, high = min(figures_ppm) / 1e4, max(figures_ppm) / 1e4
    return f"{low:+.2f} to {high:+.2f}" if sign else f"{low:.2f} to {high:.2f}"
