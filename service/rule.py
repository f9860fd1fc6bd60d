"""The decision rule this deployment's settings ask for, and what is kept of it with a flagged passage."""

from domain.screening import RuleFigures
from service.settings import Settings
from weigh import DecisionRule


def rule_of(settings: Settings) -> DecisionRule:
    """Return the rule that live passages are judged by, and stored ones again."""
    return DecisionRule(
        formula=settings.rule_formula,
        guard_k_milli=settings.rule_guard_k_milli,
        default_u_gross_ppm=settings.rule_default_u_gross_ppm,
    )


def figures_of(settings: Settings) -> RuleFigures:
    """Return every figure of this deployment that decides what a passage is."""
    return RuleFigures(
        **vars(rule_of(settings)),
        confirmed_rows=tuple(sorted(settings.law_confirmed_rows)),
        clock_bound_ms=settings.clock_bound_ms,
        calibration_max_age_days=settings.calibration_max_age_days,
    )


def rule_from(figures: RuleFigures) -> DecisionRule:
    """Return the decision rule that a flagged passage was judged by."""
    return DecisionRule(
        formula=figures.formula,
        guard_k_milli=figures.guard_k_milli,
        default_u_gross_ppm=figures.default_u_gross_ppm,
        default_u_axle_ppm=figures.default_u_axle_ppm,
        mpe_without_certificate_ppm=figures.mpe_without_certificate_ppm,
    )
