"""From what each strip says of an axle to axle loads, groups and gross mass, each with an honest u.

Kernel GLS over the strips as a look-up, the site's bias from weighed passes, conformal intervals. Arrays in
and out; `weigh.weighing` applies it with a calibration.
"""

from weigh.estimate.axle_types import axle_types
from weigh.estimate.bias import SiteBias, fit_bias, prior_covariance
from weigh.estimate.conformal import conformal_factor
from weigh.estimate.consistency import Departures, departures
from weigh.estimate.lookup import (
    DRIVE,
    NO_AXLE,
    PROBLEMS,
    STEER,
    TRAILER,
    Places,
    Weighed,
    look_up,
    places,
    u_vehicle,
)
from weigh.estimate.pattern import StripPattern, strip_pattern
from weigh.estimate.population import ASSUMED_POPULATION, AxlePopulation, Population, Springs
from weigh.estimate.site import Passes, SiteFit, fit_site, roughness_m3
from weigh.estimate.table import GlsTable, inverse_variance_weights, mask_of, mean_weights
from weigh.estimate.uncertainty import Terms, u_axle, u_gross, u_group

__all__ = [
    "ASSUMED_POPULATION",
    "DRIVE",
    "NO_AXLE",
    "PROBLEMS",
    "STEER",
    "TRAILER",
    "AxlePopulation",
    "Departures",
    "GlsTable",
    "Passes",
    "Places",
    "Population",
    "SiteBias",
    "SiteFit",
    "Springs",
    "StripPattern",
    "Terms",
    "Weighed",
    "axle_types",
    "conformal_factor",
    "departures",
    "fit_bias",
    "fit_site",
    "inverse_variance_weights",
    "look_up",
    "mask_of",
    "mean_weights",
    "places",
    "prior_covariance",
    "roughness_m3",
    "strip_pattern",
    "u_axle",
    "u_gross",
    "u_group",
    "u_vehicle",
]
