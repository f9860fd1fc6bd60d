"""A calibration is sealed as integers, read back strictly, and applied as it says."""

import hashlib
import json
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pytest
import rfc8785

from domain.errors import ConfigurationError
from tests.unit.weigh.calibration.states import two_strips
from weigh.calibration.apply import (
    gain_factors,
    site_bias,
    u_gain,
    u_site,
    u_site_gross,
)
from weigh.calibration.state import CalibrationState


def test_a_document_reads_back_as_the_same_state_with_the_same_digest() -> None:
    state = two_strips()
    again = CalibrationState.from_document(json.loads(json.dumps(state.to_document())))
    assert again == state
    assert again.digest == state.digest


def test_the_document_holds_integers_and_strings_alone() -> None:
    def leaves(value: Any) -> list[Any]:
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]

    found = {type(leaf) for value in two_strips().to_document().values() for leaf in leaves(value)}
    assert found == {int, str}


def test_the_digest_is_that_of_rfc_8785() -> None:
    state = two_strips()
    assert state.digest == hashlib.sha256(rfc8785.dumps(state.to_document())).hexdigest()


def test_another_figure_is_another_digest() -> None:
    state = two_strips()
    assert state.model_copy(update={"strip_gain_ppm": (1_020_001, 990_000)}).digest != state.digest


_MAY_LACK = {"algorithm", "road_roughness_mm3", "strip_pattern_ppm", "u_strip_pattern_ppm"}


@pytest.mark.parametrize("field", sorted(set(two_strips().to_document()) - _MAY_LACK))
def test_a_missing_field_is_refused_by_name(field: str) -> None:
    document = two_strips().to_document()
    del document[field]
    with pytest.raises(ConfigurationError, match=field):
        CalibrationState.from_document(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("algorithm", "zhichao-calibration/2"),
        ("version", 3.0),
        ("version", "3"),
        ("lane", True),
        ("station", "S1/.."),
        ("valid_from", "2026-11-01T00:00:00"),
        ("valid_from", "2026-11-01T08:00:00+08:00"),
        ("passes_sha256", "none"),
        ("strip_alive", [1, 2]),
        ("strip_alive", [0, 0]),
        ("strip_alive", [1]),
        ("strip_noise_ppm", [0, 15_000]),
        ("strip_noise_ppm", [999, 15_000]),
        ("conformal_axle_milli", 0),
        ("conformal_group_milli", 499),
        ("conformal_gross_milli", 499),
        ("site_bias_ppm", [[-150_001, 0], [0, 0], [0, 0]]),
        ("site_bias_ppm", [[0, 0], [0, 0], [0, 150_001]]),
        ("sample_type", "f8"),
        ("strip_scale_un", [2_000_000]),
        ("strip_scale_un", []),
        ("strip_scale_un", [2_000_000, 0]),
        ("other_unit", 2),
        ("strip_gain_ppm", [0, 990_000]),
        ("strip_gain_ppm", [-1, 990_000]),
        ("strip_gain_ppm", [float("nan"), 990_000]),
        ("strip_position_mm", [0, 0]),
        ("strip_position_mm", [10, 3_100]),
        ("temperature_max_mk", 263_149),
        ("site_bias_ppm", [[0, 0], [0, 0]]),
        ("u_site_ppm", [[0], [0], [0]]),
        ("u_site_gross_ppm", [1]),
        ("u_gain_ppm", [1, 2]),
        ("u_gain_temperature_mk", [293_150, 263_150, 313_150]),
        ("speed_bound_m_h", [0]),
        ("colour", 1),
    ],
)
def test_an_unfit_field_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field):
        CalibrationState.from_document({**two_strips().to_document(), field: value})


@pytest.mark.parametrize(
    ("gain_ppm", "alive", "fits"),
    [
        (101_972, 1, True),
        (50_000, 1, True),
        (200_000, 1, True),
        (49_999, 1, False),
        (200_001, 1, False),
        (1_000_000, 1, False),
        (1_000_000, 0, True),
    ],
)
def test_gains_must_speak_of_newtons_unless_another_unit_was_said(
    gain_ppm: int, alive: int, fits: bool
) -> None:
    document = two_strips().to_document() | {
        "strip_gain_ppm": [101_972, gain_ppm],
        "strip_alive": [1, alive],
    }
    assert CalibrationState.from_document(document | {"other_unit": 1}).strip_gain_ppm[1] == gain_ppm
    if fits:
        CalibrationState.from_document(document | {"other_unit": 0})
    else:
        with pytest.raises(ConfigurationError, match=r"strip 2 .* another unit"):
            CalibrationState.from_document(document | {"other_unit": 0})


def test_newtons_have_no_scale() -> None:
    with pytest.raises(ConfigurationError, match="strip_scale_un"):
        CalibrationState.from_document(two_strips().to_document() | {"sample_type": "f4"})


def test_what_is_no_json_document_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="calibration state"):
        CalibrationState.from_document({"version": {1, 2}})


def test_a_state_of_another_time_zone_is_refused() -> None:
    state = two_strips()
    local = state.valid_from.astimezone(timezone(timedelta(hours=8)))
    with pytest.raises(ConfigurationError, match="valid_from"):
        CalibrationState(**{**state.model_dump(), "valid_from": local})


def test_gains_follow_the_temperature_as_the_document_says() -> None:
    # 10 K above: 1.02 / (1 + 0.05 - 0.002); the second strip does not care.
    factor = gain_factors(two_strips(), np.array([293.15, 303.15]))
    assert factor == pytest.approx(np.array([[1.02, 0.99], [1.02 / 1.048, 0.99]]), rel=1e-12)


def test_a_dead_strip_has_no_gain() -> None:
    state = two_strips().model_copy(update={"strip_alive": (0, 1)})
    assert np.isnan(gain_factors(state, np.array([290.0]))[0, 0])


def test_an_unknown_temperature_gives_no_figure_where_it_matters() -> None:
    state, unknown = two_strips(), np.array([np.nan])
    assert np.isnan(gain_factors(state, unknown)[0, 0])
    assert np.isnan(u_gain(state, unknown)).all()


def test_a_response_that_the_polynomial_turns_negative_gives_no_figure() -> None:
    state = two_strips().model_copy(update={"temperature_slope_ppb_k": (50_000_000, 0)})
    assert np.isnan(gain_factors(state, np.array([263.15]))[0, 0])


def test_the_gains_uncertainty_is_linear_between_knots_and_unknown_outside() -> None:
    found = u_gain(two_strips(), np.array([263.15, 278.15, 303.15, 313.15, 313.2, 250.0]))
    assert found[:4] == pytest.approx([0.006, 0.004, 0.003, 0.004])
    assert np.isnan(found[4:]).all()


def test_site_figures_are_those_of_type_and_speed() -> None:
    state = two_strips()
    types = np.array([[0, 1, 2, -1], [0, 1, 2, -1]], dtype=np.int8)
    speed = np.array([59.99, 60.0]) / 3.6
    assert site_bias(state, types, speed)[:, :3] == pytest.approx(
        np.array([[-0.004, 0.001, 0.0], [0.002, 0.003, 0.005]])
    )
    assert u_site(state, types, speed)[1, :3] == pytest.approx([0.008, 0.006, 0.004])
    assert u_site_gross(state, speed) == pytest.approx([0.004, 0.003])
    assert np.isnan(site_bias(state, types, speed)[:, 3]).all()
    assert np.isnan(u_site_gross(state, np.array([np.nan]))).all()
