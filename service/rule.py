"""The decision rule this deployment's settings ask for."""

from service.settings import Settings
from weigh import DecisionRule


def rule_of(settings: Settings) -> DecisionRule:
    """Return the rule that live passages are judged by, and stored ones again."""
    return DecisionRule(
        formula=settings.rule_formula,
        guard_k_milli=settings.rule_guard_k_milli,
        default_u_gross_ppm=settings.rule_default_u_gross_ppm,
    )
