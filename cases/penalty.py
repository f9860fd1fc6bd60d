"""The proposed penalty: the tariff of Order 62 Art. 43(2) applied step by step, in words and clauses.

A proposal and nothing more: what is decided takes the notice, the defence and the discretion of
行政处罚法 (Art. 32-34, 44, 45, 62) into account, and 公路安全保护条例 Art. 64 says "may". It rests on the
gross mass alone: there is no tariff for an axle, so an axle flag proposes nothing (domain.md A5).

Art. 43(2) fines what exceeds Art. 3, items 4-8. A bridge or road sign may set less (Art. 27), and who
passes it is a lead like any other; but the tariff counts from the limit of Art. 3 all the same, and
where that is not exceeded no national tariff sets an amount and none is proposed.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.errors import RuleViolation
from domain.law import Tariff
from domain.screening import SITE_ROW, Formula, LimitStep, Outcome, Screening
from domain.units import PPM

ALGORITHM = "zhichao-penalty/1"
"""Name and version of the computation: a change of any amount, step or word is a new version."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PenaltyKind(StrEnum):
    """What is proposed."""

    WARNING = "warning"
    FINE = "fine"
    UNDETERMINED = "undetermined"
    """No national tariff applies: over the site's own limit, not over that of Art. 3."""


class Words(_Model):
    """One statement in both languages."""

    zh: str
    en: str


class PenaltyStep(_Model):
    """One step of the computation, in the order made, with the clause it rests on."""

    clause: str
    words: Words


class Proposal(_Model):
    """What the tariff gives for one finding."""

    kind: PenaltyKind
    amount_yuan: int | None
    """0 for a warning; None where no tariff sets an amount."""
    over_kg: int
    """The excess the tariff counts, over the limit of Order 62 Art. 3; 0 where that is not exceeded."""
    steps: tuple[PenaltyStep, ...]
    summary: Words
    reservation: Words
    """That this is a proposal, and which discretion comes before any decision."""
    tariff_row: str
    """The tariff of the day, whether or not it gives an amount."""
    tariff_digest: str
    algorithm: str = ALGORITHM
    """Name and version of the computation."""


_DISCRETION = Words(
    zh="是否处罚、减轻或不予处罚（行政处罚法第三十二条、第三十三条、第三十四条，"
    "首违可以不罚；公路安全保护条例第六十四条“可以”处罚）由执法机关在告知并听取陈述申辩后决定"
    "（第四十四条、第四十五条、第六十二条）。",
    en="Whether to punish, mitigate or refrain "
    "(行政处罚法 Art. 32, 33, 34: a first minor breach may go unpunished; 公路安全保护条例 Art. 64: 'may') "
    "is decided by the authority after notice and after hearing the defence (Art. 44, 45, 62).",
)
_BY_TARIFF = Words(
    zh=f"以上仅为按裁量表计算的建议，不是处罚决定。{_DISCRETION.zh}",
    en=f"This is what the tariff gives, a proposal and not a decision. {_DISCRETION.en}",
)
_WITHOUT_TARIFF = Words(
    zh=f"系统不提出金额，如何处理由执法机关依法认定。{_DISCRETION.zh}",
    en=f"No amount is proposed; what follows is for the authority to find in law. {_DISCRETION.en}",
)

_NOT_SEALED = Words(
    zh="证据包由较早版本的软件封存，包内没有处罚建议；本建议是立案时按行为当日的裁量表计算的，未随证据封存。",
    en="The package was sealed by an earlier version and holds no proposal: this one was computed from the "
    "tariff of the day of the act when the case was opened, and is not sealed with the evidence. ",
)


def propose(screening: Screening, tariff: Tariff) -> Proposal:
    """Return the penalty the tariff gives for an overloaded passage.

    Parameters
    ----------
    tariff
        The row in force on the day of the act.

    Raises
    ------
    RuleViolation
        The passage is not over its gross limit; nothing may be proposed on axle flags alone.

    Source: Order 62 (2016) Art. 43(2), domain.md A5 and B1; Art. 27 for a site's own limit.
    """
    if screening.outcome is not Outcome.OVERLOADED or screening.adjudication.over_kg <= 0:
        raise RuleViolation(
            "no penalty can be proposed: the passage is not over its gross limit; "
            "an axle flag alone carries no penalty (Order 62 Art. 43)"
        )
    limit = _limit_of_article_3(screening)
    adjudged_kg = _adjudged_against(limit.running_kg, screening)
    over_kg = max(0, adjudged_kg - limit.running_kg)
    site_steps = [_site_step(step, screening) for step in screening.limit_steps if step.row == SITE_ROW]
    if over_kg == 0:
        kind, amount_yuan = PenaltyKind.UNDETERMINED, None
        steps = [_no_excess_step(limit, adjudged_kg), _no_tariff_step(tariff)]
        summary = Words(
            zh="不提出处罚金额：仅超过本站点限重标志，未超过第三条限值",
            en="No amount proposed: over the site's own limit only, not over that of Art. 3",
        )
    elif over_kg <= tariff.warning_up_to_kg:
        kind, amount_yuan = PenaltyKind.WARNING, 0
        steps = [_excess_step(limit, adjudged_kg), _warning_step(tariff)]
        summary = Words(zh=f"建议：警告（超限 {over_kg} 千克）", en=f"Proposed: warning ({over_kg} kg over)")
    else:
        kind = PenaltyKind.FINE
        fine_steps, amount_yuan = _fine_steps(over_kg, tariff)
        steps = [_excess_step(limit, adjudged_kg), *fine_steps]
        summary = Words(
            zh=f"建议：罚款 {amount_yuan} 元（超限 {over_kg} 千克）",
            en=f"Proposed: fine of {amount_yuan} yuan ({over_kg} kg over)",
        )
    return Proposal(
        kind=kind,
        amount_yuan=amount_yuan,
        over_kg=over_kg,
        steps=(*site_steps, *steps),
        summary=summary,
        reservation=_WITHOUT_TARIFF if kind is PenaltyKind.UNDETERMINED else _BY_TARIFF,
        tariff_row=tariff.id,
        tariff_digest=tariff.digest,
    )


def told_unsealed(proposal: Proposal) -> Proposal:
    """Return a proposal that says of itself that no package holds it."""
    said = proposal.reservation
    reservation = Words(zh=_NOT_SEALED.zh + said.zh, en=_NOT_SEALED.en + said.en)
    return proposal.model_copy(update={"reservation": reservation})


def _limit_of_article_3(screening: Screening) -> LimitStep:
    """Return the last step before the site's own limit: what Art. 3 allows this vehicle."""
    steps = [step for step in screening.limit_steps if step.row != SITE_ROW]
    if not steps:
        raise RuleViolation("the screening does not say which limit of Order 62 Art. 3 applied; report this")
    return steps[-1]


def _adjudged_against(limit_kg: int, screening: Screening) -> int:
    """Return the mass held against a limit that need not be the one the screening decided by.

    Only the formula `limit` takes off a share of the limit (domain.md C6), rounded to the party's favour.
    """
    mass = screening.adjudication
    if mass.formula is not Formula.LIMIT:
        return mass.adjudged_kg
    deducted_kg = max(0, mass.measured_gross_kg + (-limit_kg * mass.mpe_ppm) // PPM)
    return min(deducted_kg, mass.after_guard_kg)


def _site_step(step: LimitStep, screening: Screening) -> PenaltyStep:
    mass = screening.adjudication
    return PenaltyStep(
        clause=step.clause,
        words=Words(
            zh=f"认定总质量 {mass.adjudged_kg} 千克，本站点限重标志 {step.running_kg} 千克，"
            f"超过标志 {mass.over_kg} 千克；第四十三条不按标志计算罚款",
            en=f"Adjudged gross mass {mass.adjudged_kg} kg, the site's own limit {step.running_kg} kg: "
            f"{mass.over_kg} kg over the sign, from which Art. 43 does not count",
        ),
    )


def _excess_step(limit: LimitStep, adjudged_kg: int) -> PenaltyStep:
    over_kg = adjudged_kg - limit.running_kg
    return PenaltyStep(
        clause=limit.clause,
        words=Words(
            zh=f"认定总质量 {adjudged_kg} 千克，限值 {limit.running_kg} 千克，超限 {over_kg} 千克",
            en=f"Adjudged gross mass {adjudged_kg} kg, limit {limit.running_kg} kg: {over_kg} kg over",
        ),
    )


def _no_excess_step(limit: LimitStep, adjudged_kg: int) -> PenaltyStep:
    return PenaltyStep(
        clause=limit.clause,
        words=Words(
            zh=f"认定总质量 {adjudged_kg} 千克，未超过第三条限值 {limit.running_kg} 千克",
            en=f"Adjudged gross mass {adjudged_kg} kg, not over the limit of Art. 3, {limit.running_kg} kg",
        ),
    )


def _no_tariff_step(tariff: Tariff) -> PenaltyStep:
    return PenaltyStep(
        clause=tariff.clause,
        words=Words(
            zh="罚款标准只适用于超过第三条第四至八项限值的车辆；仅超过限重标志的，没有全国统一的罚款标准",
            en="The tariff is for vehicles over the limits of Art. 3, items 4 to 8; "
            "for the sign alone there is no national tariff",
        ),
    )


def _warning_step(tariff: Tariff) -> PenaltyStep:
    return PenaltyStep(
        clause=tariff.clause,
        words=Words(
            zh=f"超限未超过 {tariff.warning_up_to_kg} 千克，予以警告",
            en=f"Not more than {tariff.warning_up_to_kg} kg over: a warning",
        ),
    )


def _fine_steps(over_kg: int, tariff: Tariff) -> tuple[list[PenaltyStep], int]:
    whole, rest_kg = divmod(over_kg, tariff.step_kg)
    counted = whole + (1 if rest_kg and tariff.remainder == "ceil" else 0)
    before_cap_yuan = counted * tariff.step_yuan
    amount_yuan = min(before_cap_yuan, tariff.cap_yuan)
    rest = _remainder_words(rest_kg, counted_up=counted > whole)
    steps = [
        PenaltyStep(
            clause=tariff.clause,
            words=Words(
                zh=f"超限超过 {tariff.warning_up_to_kg} 千克，"
                f"每超 {tariff.step_kg} 千克罚款 {tariff.step_yuan} 元",
                en=f"More than {tariff.warning_up_to_kg} kg over: "
                f"{tariff.step_yuan} yuan for every {tariff.step_kg} kg",
            ),
        ),
        PenaltyStep(
            clause=tariff.clause,
            words=Words(
                zh=f"{over_kg} ÷ {tariff.step_kg} = {whole} 档{rest.zh}；"
                f"{counted} × {tariff.step_yuan} = {before_cap_yuan} 元",
                en=f"{over_kg} / {tariff.step_kg} = {whole}{rest.en}; "
                f"{counted} x {tariff.step_yuan} = {before_cap_yuan} yuan",
            ),
        ),
    ]
    if before_cap_yuan > tariff.cap_yuan:
        steps.append(
            PenaltyStep(
                clause=tariff.clause,
                words=Words(
                    zh=f"最高不超过 {tariff.cap_yuan} 元，按 {tariff.cap_yuan} 元计",
                    en=f"Capped at {tariff.cap_yuan} yuan",
                ),
            )
        )
    return steps, amount_yuan


def _remainder_words(rest_kg: int, *, counted_up: bool) -> Words:
    if not rest_kg:
        return Words(zh="", en="")
    if counted_up:
        return Words(zh=f"，余 {rest_kg} 千克计一档", en=f"; the remaining {rest_kg} kg count as one")
    return Words(
        zh=f"，余 {rest_kg} 千克不计（有利于当事人）",
        en=f"; the remaining {rest_kg} kg do not count (favours the party)",
    )
