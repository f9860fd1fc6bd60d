"""The proposed penalty: the tariff of Order 62 Art. 43(2) applied step by step, in words and clauses.

A proposal and nothing more: what is decided takes the notice, the defence and the discretion of
行政处罚法 (Art. 32-34, 44, 45, 62) into account, and 公路安全保护条例 Art. 64 says "may". It rests on the
gross mass alone: there is no tariff for an axle, so an axle flag proposes nothing (domain.md A5).
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.errors import RuleViolation
from domain.law import Tariff
from domain.screening import Outcome, Screening


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PenaltyKind(StrEnum):
    """What is proposed."""

    WARNING = "warning"
    FINE = "fine"


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
    amount_yuan: int
    """0 for a warning."""
    over_kg: int
    steps: tuple[PenaltyStep, ...]
    summary: Words
    reservation: Words
    """That this is a proposal, and which discretion comes before any decision."""
    tariff_row: str
    tariff_digest: str


_RESERVATION = Words(
    zh="以上仅为按裁量表计算的建议，不是处罚决定。是否处罚、减轻或不予处罚（行政处罚法第三十二条、第三十三条、第三十四条，"
    "首违可以不罚；公路安全保护条例第六十四条“可以”处罚）由执法机关在告知并听取陈述申辩后决定"
    "（第四十四条、第四十五条、第六十二条）。",
    en="This is what the tariff gives, a proposal and not a decision. Whether to punish, mitigate or refrain "
    "(行政处罚法 Art. 32, 33, 34: a first minor breach may go unpunished; 公路安全保护条例 Art. 64: 'may') "
    "is decided by the authority after notice and after hearing the defence (Art. 44, 45, 62).",
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

    Source: Order 62 (2016) Art. 43(2), domain.md B1.
    """
    over_kg = screening.adjudication.over_kg
    if screening.outcome is not Outcome.OVERLOADED or over_kg <= 0:
        raise RuleViolation(
            "no penalty can be proposed: the passage is not over its gross limit; "
            "an axle flag alone carries no penalty (Order 62 Art. 43)"
        )
    steps = [_excess_step(screening)]
    if over_kg <= tariff.warning_up_to_kg:
        kind, amount_yuan = PenaltyKind.WARNING, 0
        steps.append(_warning_step(tariff))
        summary = Words(zh=f"建议：警告（超限 {over_kg} 千克）", en=f"Proposed: warning ({over_kg} kg over)")
    else:
        kind = PenaltyKind.FINE
        fine_steps, amount_yuan = _fine_steps(over_kg, tariff)
        steps += fine_steps
        summary = Words(
            zh=f"建议：罚款 {amount_yuan} 元（超限 {over_kg} 千克）",
            en=f"Proposed: fine of {amount_yuan} yuan ({over_kg} kg over)",
        )
    return Proposal(
        kind=kind,
        amount_yuan=amount_yuan,
        over_kg=over_kg,
        steps=tuple(steps),
        summary=summary,
        reservation=_RESERVATION,
        tariff_row=tariff.id,
        tariff_digest=tariff.digest,
    )


def _excess_step(screening: Screening) -> PenaltyStep:
    mass = screening.adjudication
    return PenaltyStep(
        clause="Order 62 (2016) Art. 3",
        words=Words(
            zh=f"认定总质量 {mass.adjudged_kg} 千克，限值 {mass.limit_kg} 千克，超限 {mass.over_kg} 千克",
            en=f"Adjudged gross mass {mass.adjudged_kg} kg, limit {mass.limit_kg} kg: {mass.over_kg} kg over",
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
