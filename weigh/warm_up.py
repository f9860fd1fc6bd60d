"""Compiles what weighs waveforms, so that no vehicle waits for it; what it weighs is nothing."""

from datetime import UTC, datetime

from domain.events import SampleType, Strip, Waveform
from domain.ids import DeviceId, Sha256, StationId
from weigh.calibration.state import CalibrationState
from weigh.live import weigh_waveforms
from weigh.signals import Signals

_SAMPLES = 4_096
_PLACES_MM = (0, 900)


def warm_up_weighing() -> None:
    """Weigh silence, in both types of sample, with a calibration and without one."""
    for sample_type, size in ((SampleType.FLOAT32, 4), (SampleType.INT16, 2)):
        scale = 1_000_000 if sample_type is SampleType.INT16 else None
        wave = Waveform(
            match_key="warm-up",
            lane=1,
            direction="up",
            sample_rate_hz=1_000,
            sample_count=_SAMPLES,
            sample_type=sample_type,
            strip_width_um=53_000,
            strips=tuple(Strip(position_mm=place, scale_un=scale) for place in _PLACES_MM),
        )
        silence = bytes(len(_PLACES_MM) * _SAMPLES * size)
        weigh_waveforms([Signals(wave, silence, state) for state in (None, _calibration(wave))])


def _calibration(wave: Waveform) -> CalibrationState:
    return CalibrationState(
        version=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        station=StationId("warm-up"),
        device=DeviceId("warm-up"),
        lane=1,
        passes=0,
        passes_sha256=Sha256(""),
        strip_position_mm=_PLACES_MM,
        strip_width_um=53_000,
        sample_type=wave.sample_type,
        strip_scale_un=tuple(strip.scale_un for strip in wave.strips if strip.scale_un is not None),
        other_unit=0,
        strip_alive=(1, 1),
        strip_gain_ppm=(101_972, 101_972),
        temperature_reference_mk=293_150,
        temperature_slope_ppb_k=(0, 0),
        temperature_curve_ppb_k2=(0, 0),
        temperature_min_mk=273_150,
        temperature_max_mk=313_150,
        strip_noise_ppm=(15_000, 15_000),
        speed_bound_m_h=(),
        site_bias_ppm=((0,), (0,), (0,)),
        u_site_ppm=((0,), (0,), (0,)),
        u_site_gross_ppm=(0,),
        u_gain_temperature_mk=(293_150,),
        u_gain_ppm=(0,),
        conformal_axle_milli=1_000,
        conformal_group_milli=1_000,
        conformal_gross_milli=1_000,
    )
