"""A calibration to begin from in tests."""

from datetime import UTC, datetime

from domain.events import SampleType
from domain.ids import DeviceId, Sha256, StationId
from weigh.calibration.state import CalibrationState


def two_strips() -> CalibrationState:
    """Two strips 3.1 m apart, of which the first follows the temperature; two speed classes."""
    return CalibrationState(
        version=3,
        valid_from=datetime(2026, 11, 1, tzinfo=UTC),
        station=StationId("S1"),
        device=DeviceId("wim-1"),
        lane=1,
        passes=40,
        passes_sha256=Sha256("ab" * 32),
        strip_position_mm=(0, 3_100),
        strip_width_um=53_000,
        sample_type=SampleType.INT16,
        strip_scale_un=(2_000_000, 2_500_000),
        other_unit=1,
        strip_alive=(1, 1),
        strip_gain_ppm=(1_020_000, 990_000),
        temperature_reference_mk=293_150,
        temperature_slope_ppb_k=(5_000_000, 0),
        temperature_curve_ppb_k2=(-20_000, 0),
        temperature_min_mk=263_150,
        temperature_max_mk=313_150,
        strip_noise_ppm=(15_000, 15_000),
        speed_bound_m_h=(60_000,),
        site_bias_ppm=((-4_000, 2_000), (1_000, 3_000), (0, 5_000)),
        u_site_ppm=((9_000, 8_000), (7_000, 6_000), (5_000, 4_000)),
        u_site_gross_ppm=(4_000, 3_000),
        u_gain_temperature_mk=(263_150, 293_150, 313_150),
        u_gain_ppm=(6_000, 2_000, 4_000),
        conformal_axle_milli=1_100,
        conformal_group_milli=1_050,
        conformal_gross_milli=1_020,
    )
