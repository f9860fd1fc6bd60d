"""The calibration the golden vehicle is weighed with; every figure differs from what would be neutral."""

from datetime import UTC, datetime

from domain.events import SampleType
from domain.ids import DeviceId, Sha256, StationId
from tests.unit.weigh.golden.vehicle import PLACES_MM, SCALE_UN, WIDTH_UM
from weigh.calibration.state import CalibrationState


def calibration() -> CalibrationState:
    """Return eight strips of which one is not trusted, over a site with a bias in three speed classes."""
    return CalibrationState(
        version=7,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        station=StationId("S1"),
        device=DeviceId("wim-1"),
        lane=1,
        passes=60,
        passes_sha256=Sha256("ab" * 32),
        strip_position_mm=PLACES_MM,
        strip_width_um=WIDTH_UM,
        sample_type=SampleType.INT16,
        strip_scale_un=(SCALE_UN,) * 8,
        other_unit=0,
        strip_alive=(1, 1, 1, 1, 0, 1, 1, 1),
        strip_gain_ppm=(101_972, 102_480, 100_950, 101_700, 99_000, 102_200, 101_100, 102_900),
        temperature_reference_mk=293_150,
        temperature_slope_ppb_k=(900_000, 1_100_000, 700_000, 0, 0, 500_000, 800_000, 1_000_000),
        temperature_curve_ppb_k2=(-9_000, 4_000, 0, 0, 0, 2_000, 0, -3_000),
        temperature_min_mk=263_150,
        temperature_max_mk=313_150,
        strip_noise_ppm=(15_000, 17_000, 14_000, 16_000, 15_000, 18_000, 15_000, 13_000),
        road_roughness_mm3=14_500,
        speed_bound_m_h=(50_000, 75_000),
        site_bias_ppm=((-4_000, 2_500, 1_000), (1_000, 3_700, 2_000), (0, 5_300, -1_000)),
        u_site_ppm=((9_000, 8_100, 7_000), (7_000, 6_300, 6_000), (5_000, 4_700, 4_000)),
        u_site_gross_ppm=(4_000, 3_300, 3_000),
        u_gain_temperature_mk=(263_150, 293_150, 313_150),
        u_gain_ppm=(6_000, 2_000, 4_000),
        conformal_axle_milli=1_130,
        conformal_group_milli=1_070,
        conformal_gross_milli=1_020,
    )
