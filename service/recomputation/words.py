"""Each step of the computation in words, with its numbers: what the accused driver reads."""

from typing import Any

from api.words import clause_words, word
from cases.penalty import Words
from domain.screening import Formula, LimitStep
from service.recomputation.package import Conclusions, Inputs

_NOTHING = Words(zh="无", en="none")


def kg(mass: int) -> str:
    """Return a mass with its thousands apart.

    >>> kg(-3000)
    '-3 000 kg'
    """
    return f"{mass:,} kg".replace(",", " ")


def percent(ppm: int) -> str:
    """Return a ratio in per cent, exactly.

    >>> percent(15_000), percent(9_137)
    ('1.5 %', '0.9137 %')
    """
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".") + " %"


def of_event(found: Conclusions) -> Words:
    """Which event, when."""
    return _both(f"{found.event_id}, {found.captured_at}")


def message(found: Conclusions, inputs: Inputs) -> Words:
    """The bytes it begins with, and what came of them."""
    first = inputs.wires[0]
    size, digest, header = len(first.wire.payload), first.sha256, found.header
    where = f"{header['station']}/{header['device']}, {header['epoch']}/{header['sequence']}"
    return Words(
        zh=f"{first.path}，{size} 字节，SHA-256 {digest}，主题 {first.wire.topic}；设备 {where}；"
        f"另有 {len(inputs.wires) - 1} 条抓拍报文",
        en=f"{first.path}, {size} bytes, SHA-256 {digest}, topic {first.wire.topic}; device {where}; "
        f"{len(inputs.wires) - 1} messages of captures beside it",
    )


def of_weighing(found: Conclusions) -> Words:
    """Gross mass and uncertainty."""
    one = found.weighing
    if one is None:
        return _NOTHING
    u = "" if one.u_gross_ppm is None else f", u = {percent(one.u_gross_ppm)}"
    return _both(f"{kg(one.gross_kg)}{u}")


def weighing(found: Conclusions, _inputs: Inputs) -> Words:
    """The loads of the axles as the strips say them."""
    one = found.weighing
    if one is None:
        return _NOTHING
    strips = len(one.axles[0].strip_loads_n)
    loads = ", ".join(
        kg(axle.load_kg) + ("" if axle.u_ppm is None else f" (u {percent(axle.u_ppm)})") for axle in one.axles
    )
    use = one.calibration
    speed = f"{abs(one.speed_mm_s) * 36 // 1000 / 10:g} km/h"
    by_zh = "无校准" if use is None else f"校准第 {use.version} 版（SHA-256 {use.digest}）"
    by_en = "no calibration" if use is None else f"calibration {use.version} (SHA-256 {use.digest})"
    return Words(
        zh=f"{strips} 条传感器的波形，{by_zh}；速度 {speed}；各轴 {loads}；"
        f"合计 {kg(one.gross_kg)}（先相加后舍去）",
        en=f"signals of {strips} strips, {by_en}; {speed}; axles {loads}; "
        f"together {kg(one.gross_kg)}, added before rounding",
    )


def of_record(found: Conclusions) -> Words:
    """The measured gross mass."""
    return _both(kg(found.record.gross_kg))


def record(found: Conclusions, _inputs: Inputs) -> Words:
    """Axles, their sum, the distances between them."""
    one = found.record
    axles = " + ".join(f"{axle.load_kg:,}".replace(",", " ") for axle in one.axles)
    total = kg(sum(axle.load_kg for axle in one.axles))
    between = ", ".join(map(str, one.spacings_mm))
    speed = f"{one.speed_m_h / 1000:g} km/h"
    return Words(
        zh=f"轴重 {axles} = {total}；总质量 {kg(one.gross_kg)}；轴距 {between} mm；"
        f"车速 {speed}；车道 {one.lane}",
        en=f"axles {axles} = {total}; gross {kg(one.gross_kg)}; spacings {between} mm; "
        f"{speed}; lane {one.lane}",
    )


def of_site(found: Conclusions) -> Words:
    """Which of the site's papers the screening missed."""
    gone = [
        code
        for code in found.screening.reasons
        if code in ("no-certificate", "no-announcement", "no-legal-basis")
    ]
    return Words(
        zh="、".join(word(code, "zh-CN") for code in gone) or "齐备", en=", ".join(gone) or "all in force"
    )


def site(_found: Conclusions, inputs: Inputs) -> Words:
    """The certificate with its error, the announcement, the legal basis, each with its days."""
    context = inputs.context
    zh, en = [], []
    if (one := context.certificate) is not None:
        span = f"{one.valid_from} - {one.valid_to}"
        error = percent(one.mpe_in_service_ppm)
        zh.append(f"检定证书 {one.number}，{one.accuracy_class} 级，使用中最大允许误差 {error}，{span}")
        en.append(f"certificate {one.number}, class {one.accuracy_class}, error in service {error}, {span}")
    if (told := context.announcement) is not None:
        zh.append(f"公告 {told.number}，自 {told.in_force_from}")
        en.append(f"announcement {told.number}, from {told.in_force_from}")
    if (basis := context.legal_basis) is not None:
        zh.append(f"依据 {basis.citation}，自 {basis.valid_from}")
        en.append(f"legal basis {basis.citation}, from {basis.valid_from}")
    return Words(zh="；".join(zh), en="; ".join(en))


def of_vehicle(found: Conclusions) -> Words:
    """Code and reading."""
    one = found.screening
    return Words(
        zh=f"{one.vehicle_code}，{word(one.taken_as, 'zh-CN')}",
        en=f"{one.vehicle_code}, {word(one.taken_as, 'en')}",
    )


def vehicle(found: Conclusions, _inputs: Inputs) -> Words:
    """Every group with its load and limit; what they are over is a flag and no more."""
    zh, en = [], []
    for group in found.screening.groups:
        last = group.first_axle + group.axle_count - 1
        axles = str(group.first_axle) if last == group.first_axle else f"{group.first_axle}-{last}"
        figures = f"{kg(group.load_kg)} / {kg(group.limit_kg)} [{group.limit_row}]"
        zh.append(f"第 {axles} 轴（代码 {group.code}）{figures}")
        en.append(f"axle {axles} (code {group.code}) {figures}")
    return Words(
        zh="；".join(zh) + "；轴组超限仅作提示，不据以处罚",
        en="; ".join(en) + "; a group over its limit is a flag only, never punished",
    )


def of_limit(found: Conclusions) -> Words:
    """The limit."""
    return _both(kg(found.screening.adjudication.limit_kg))


def limit(found: Conclusions, _inputs: Inputs) -> Words:
    """From the row of the table through every rule to the limit."""
    steps = found.screening.limit_steps
    return Words(zh=_limit_words(steps, "zh-CN"), en=_limit_words(steps, "en"))


def _limit_words(steps: tuple[LimitStep, ...], language: Any) -> str:
    parts = []
    for place, step in enumerate(steps):
        clause = clause_words(step.clause, language)
        change = "" if place == 0 else f"{step.amount_kg:+,} kg = ".replace(",", " ")
        parts.append(f"{change}{kg(step.running_kg)} [{clause}; {step.row}]")
    return "; ".join(parts)


def of_deduction(found: Conclusions) -> Words:
    """What is left."""
    return _both(kg(found.screening.adjudication.after_deduction_kg))


def deduction(found: Conclusions, _inputs: Inputs) -> Words:
    """The formula with its numbers."""
    mass = found.screening.adjudication
    m, after, error = kg(mass.measured_gross_kg), kg(mass.after_deduction_kg), percent(mass.mpe_ppm)
    if mass.formula is Formula.DEDUCT:
        line = f"{m} × (1 − {error}) = {after}"
    elif mass.formula is Formula.BOUND:
        line = f"{m} ÷ (1 + {error}) = {after}"
    else:
        line = f"{m} − {error} × {kg(mass.limit_kg)} = {after}"
    return _rounded(line)


def of_guard(found: Conclusions) -> Words:
    """What is left."""
    return _both(kg(found.screening.adjudication.after_guard_kg))


def guard(found: Conclusions, _inputs: Inputs) -> Words:
    """m - k u m with its numbers."""
    mass = found.screening.adjudication
    k = f"{mass.guard_k_milli / 1000:g}"
    return _rounded(
        f"{kg(mass.measured_gross_kg)} × (1 − {k} × {percent(mass.u_gross_ppm)}) = {kg(mass.after_guard_kg)}"
    )


def of_adjudged(found: Conclusions) -> Words:
    """The mass that decides."""
    return _both(kg(found.screening.adjudication.adjudged_kg))


def adjudged(found: Conclusions, _inputs: Inputs) -> Words:
    """The smaller of the two."""
    mass = found.screening.adjudication
    two = f"min({kg(mass.after_deduction_kg)}, {kg(mass.after_guard_kg)}) = {kg(mass.adjudged_kg)}"
    return Words(zh=f"{two}，取较小者，有利于当事人", en=f"{two}: the smaller favours the party")


def of_excess(found: Conclusions) -> Words:
    """Kilograms and per cent."""
    mass = found.screening.adjudication
    return _both(f"{kg(mass.over_kg)} ({percent(mass.over_ppm)})")


def excess(found: Conclusions, _inputs: Inputs) -> Words:
    """Adjudged less limit, and its share of the limit."""
    mass = found.screening.adjudication
    if mass.over_kg == 0:
        line = f"{kg(mass.adjudged_kg)} ≤ {kg(mass.limit_kg)}"
    else:
        share = f"{kg(mass.over_kg)} ÷ {kg(mass.limit_kg)} = {percent(mass.over_ppm)}"
        line = f"{kg(mass.adjudged_kg)} − {kg(mass.limit_kg)} = {kg(mass.over_kg)}; {share}"
    return _rounded(line)


_OUTCOMES = {
    "within": "未超限",
    "overloaded": "超限",
    "unusable": "称重不可用",
    "statistics-only": "仅供统计",
}


def of_outcome(found: Conclusions) -> Words:
    """The outcome."""
    outcome = found.screening.outcome.value
    return Words(zh=_OUTCOMES[outcome], en=outcome)


def outcome(found: Conclusions, _inputs: Inputs) -> Words:
    """Why it could not be used, and what could not be known."""
    one, rule = found.screening, found.screening.rule
    clock = "" if rule is None else f"{rule.clock_bound_ms} ms"
    zh_reasons = "、".join(word(code, "zh-CN") for code in one.reasons) or "无"
    zh_doubts = "、".join(word(code, "zh-CN") for code in one.doubts) or "无"
    return Words(
        zh=f"不可用原因：{zh_reasons}；存疑（均按有利于当事人处理）：{zh_doubts}；时钟偏差上限 {clock}",
        en=f"reasons against use: {', '.join(one.reasons) or 'none'}; doubts, each to the party's favour: "
        f"{', '.join(one.doubts) or 'none'}; bound on the clock {clock}",
    )


def of_completeness(found: Conclusions) -> Words:
    """What is missing."""
    gone = found.completeness.missing
    return Words(
        zh="、".join(word(code, "zh-CN") for code in gone) or "完整", en=", ".join(gone) or "complete"
    )


def completeness(found: Conclusions, inputs: Inputs) -> Words:
    """What was asked for, and what there is."""
    wanted = found.completeness.profile
    images = len(inputs.images)
    return Words(
        zh=f"按完整性要求“{wanted}”：图像 {images} 幅，录像 {inputs.clips} 段",
        en=f"by the profile {wanted!r}: {images} images, {inputs.clips} clips",
    )


def of_proposal(found: Conclusions) -> Words:
    """The amount."""
    return _NOTHING if found.proposal is None else found.proposal.summary


def proposal(found: Conclusions, _inputs: Inputs) -> Words:
    """The tariff's steps."""
    one = found.proposal
    if one is None:
        return _NOTHING
    return Words(
        zh="；".join(f"{step.words.zh} [{clause_words(step.clause, 'zh-CN')}]" for step in one.steps)
        + f"。{one.reservation.zh}",
        en="; ".join(f"{step.words.en} [{step.clause}]" for step in one.steps) + f". {one.reservation.en}",
    )


def _rounded(line: str) -> Words:
    return Words(
        zh=f"{line}（不足 1 kg 舍去，有利于当事人）", en=f"{line} (rounded down, to the party's favour)"
    )


def _both(text: str) -> Words:
    return Words(zh=text, en=text)
