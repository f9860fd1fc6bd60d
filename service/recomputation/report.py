"""A computation done again, as text for the person it concerns and as JSON for programs."""

import json
from typing import Any, Literal

from cases.penalty import Words
from service.recomputation.steps import Difference, Recomputation, Step, TableUsed

Language = Literal["zh", "en"]


def as_text(found: Recomputation, language: Language = "zh") -> str:
    """Return the steps one under the other, each with its numbers."""
    chinese = language == "zh"
    title = "复算" if chinese else "recomputed"
    lines = [
        f"{title}  {found.package}",
        f"{'软件' if chinese else 'software'}  {found.software}"
        + (f"（封存：{found.sealed_by}）" if chinese else f" (sealed by {found.sealed_by})"),
        *(f"{'算法' if chinese else 'algorithm'}  {what} {name}" for what, name in found.algorithms.items()),
        *(_table(one, chinese=chinese) for one in found.tables),
    ]
    for number, step in enumerate(found.steps, start=1):
        lines += ["", *_step(number, step, language)]
    lines += ["", *_verdict(found, chinese=chinese)]
    return "\n".join(_printable(line) for line in lines)


def as_json(found: Recomputation) -> str:
    """Return everything as one JSON object on one line."""
    document: dict[str, Any] = {
        "package": found.package,
        "equal": found.equal,
        "software": found.software,
        "sealed_by": found.sealed_by,
        "algorithms": found.algorithms,
        "tables": [one._asdict() for one in found.tables],
        "steps": [_step_document(step) for step in found.steps],
        "not_computed": list(found.not_computed),
    }
    return json.dumps(document, ensure_ascii=False)


def _step_document(step: Step) -> dict[str, Any]:
    texts = {
        name: getattr(step, name).model_dump() for name in ("title", "decided", "recomputed", "explanation")
    }
    differences = [one._asdict() for one in step.differences]
    return {"name": step.name, "equal": step.equal, **texts, "differences": differences}


def _step(number: int, step: Step, language: Language) -> list[str]:
    chinese = language == "zh"
    same = ("一致" if chinese else "equal") if step.equal else ("不一致" if chinese else "DIFFERS")
    labels = ("计算", "认定", "复算") if chinese else ("how", "decided", "recomputed")
    lines = [
        f"{number}. {_in(step.title, language)}：{same}" if chinese else f"{number}. {step.title.en}: {same}"
    ]
    said = (step.explanation, step.decided, step.recomputed)
    lines += [f"   {label}  {_in(words, language)}" for label, words in zip(labels, said, strict=True)]
    return lines + [f"   ! {_difference(one, chinese=chinese)}" for one in step.differences]


def _difference(one: Difference, *, chinese: bool) -> str:
    decided, again = (json.dumps(value, ensure_ascii=False) for value in (one.decided, one.recomputed))
    if chinese:
        return f"{one.path}：认定 {decided}，复算 {again}"
    return f"{one.path}: decided {decided}, recomputed {again}"


def _table(one: TableUsed, *, chinese: bool) -> str:
    if chinese:
        where = "包内" if one.in_package else "软件所附"
        same = "与软件公布的一致" if one.published else "!! 与软件公布的不同，请与官方文本核对"
        return f"法规表  {one.name} {one.sha256}（{where}，{same}）"
    where = "in the package" if one.in_package else "shipped"
    same = (
        "as published" if one.published else "!! not the one this software publishes: compare it with the law"
    )
    return f"table  {one.name} {one.sha256} ({where}, {same})"


def _verdict(found: Recomputation, *, chinese: bool) -> list[str]:
    wrong = [step for step in found.steps if not step.equal]
    lines = []
    if found.not_computed:
        names = ", ".join(found.not_computed)
        lines.append(f"未复算的内容：{names}" if chinese else f"not computed again: {names}")
    if chinese:
        lines.append(
            "号牌识别、漂移报警和设备签名不在此复算；包是否真实完整，用 zhichao evidence verify 检验。"
        )
        verdict = (
            "结论：逐位一致" if found.equal else "结论：不一致：" + "、".join(one.title.zh for one in wrong)
        )
    else:
        lines.append(
            "Plates, drift alarms and device signatures are not computed here; "
            "whether the package is genuine, `zhichao evidence verify` says."
        )
        verdict = "EQUAL to the last digit"
        if wrong:
            verdict = "DIFFERS: " + ", ".join(one.title.en for one in wrong)
    return [*lines, verdict]


def _in(words: Words, language: Language) -> str:
    return words.zh if language == "zh" else words.en


def _printable(text: str) -> str:
    """Return text fit for a terminal: what a package says is not ours."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
