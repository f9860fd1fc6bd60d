"""The accuracy report as text, as JSON and as a plot.

The plot's words are English: the drawing library carries no Chinese glyphs, and boxes in their place
would say less.
"""

import json
import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from domain.errors import ConfigurationError
from weigh.calibration.classes import Criterion
from weigh.calibration.passes import WeighedPasses
from weigh.calibration.report import (
    MIN_MEASUREMENTS,
    AccuracyReport,
    CriterionReport,
    Errors,
    errors_by_criterion,
)

_NAMES = {
    Criterion.GROSS: "gross mass (总重)",
    Criterion.GROUP: "axle group (轴组)",
    Criterion.SINGLE: "single axle (单轴)",
    Criterion.IN_GROUP: "axle of a group (轴组内单轴)",
}
_CAVEAT = (
    "Classes are for one's own checks: most figures of R 134 / JJG 907 and ASTM E1318 are recalled, not\n"
    "read in the standards (docs/explanation/weighing.md); no report replaces a verification (检定)."
)
_SAME_PASSES = (
    "The calibration was fitted on these very passes: on others the errors are larger. "
    "Keep some passes for the report."
)


def report_text(report: AccuracyReport, *, fitted_on_these: bool) -> str:
    """Return the report as lines for people."""
    head = (
        f"{report.passes} weighed passes; errors allowed {report.stage.value}; "
        f"COST 323 conditions {report.repetition.value}, environment {report.environment.value}"
    )
    columns = ("", "n", "mean %", "sd %", "worst %", "COST 323", "+-%", "needed", "reached", "R 134", "E1318")
    rows = [columns, *(_row(each) for each in report.criteria)]
    widths = [max(_width(row[column]) for row in rows) for column in range(len(columns))]
    lines = [
        "  ".join(
            _padded(cell, width, left=not place)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    end = [
        f"COST 323 class: {report.cost_class} (the worst criterion's)",
        f"R 134 / JJG 907 gross class: {report.r134_gross}",
        f"A criterion of fewer than {MIN_MEASUREMENTS} measurements has no class.",
        _CAVEAT,
    ]
    warning = [_SAME_PASSES] if fitted_on_these else []
    return "\n".join([head, "", *(line.rstrip() for line in lines), "", *end, *warning])


def _row(each: CriterionReport) -> tuple[str, ...]:
    figures = tuple("-" if math.isnan(f) else f"{f:.2f}" for f in (each.mean, each.sd, each.worst))
    cost: tuple[str, ...] = ("-",) * 4
    if each.cost:
        limits = (each.cost.tolerance, each.cost.required, each.cost.reached)
        cost = (each.cost.name, *(f"{limit:.1f}" for limit in limits))
    astm = "/".join(each.astm) or "-"
    return (_NAMES[each.criterion], str(each.count), *figures, *cost, each.r134, astm)


def _width(text: str) -> int:
    """Columns a terminal gives it: Chinese characters take two."""
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)


def _padded(text: str, width: int, *, left: bool) -> str:
    filler = " " * (width - _width(text))
    return text + filler if left else filler + text


def report_document(report: AccuracyReport, *, fitted_on_these: bool) -> dict[str, Any]:
    """Return the report as a JSON document; what is not determined is null."""
    return {
        "passes": report.passes,
        "stage": report.stage.value,
        "repetition": report.repetition.value,
        "environment": report.environment.value,
        "fitted_on_these_passes": fitted_on_these,
        "cost323_class": report.cost_class,
        "r134_gross_class": report.r134_gross,
        "criteria": {each.criterion.value: _criterion(each) for each in report.criteria},
    }


def _criterion(each: CriterionReport) -> dict[str, Any]:
    cost = each.cost and {
        "class": each.cost.name,
        "tolerance_percent": each.cost.tolerance,
        "confidence_required_percent": each.cost.required,
        "confidence_reached_percent": each.cost.reached,
    }
    return {
        "count": each.count,
        "mean_percent": _or_null(each.mean),
        "sd_percent": _or_null(each.sd),
        "worst_percent": _or_null(each.worst),
        "cost323": cost,
        "r134_class": each.r134,
        "r134_figures_from": each.r134_mark and each.r134_mark.value,
        "e1318_types": list(each.astm),
    }


def _or_null(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


def write_report(
    folder: Path, report: AccuracyReport, passes: WeighedPasses, *, fitted_on_these: bool
) -> None:
    """Write report.json, report.txt and the plot as accuracy.png and accuracy.svg into a folder."""
    document = report_document(report, fitted_on_these=fitted_on_these)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        text = report_text(report, fitted_on_these=fitted_on_these)
        (folder / "report.txt").write_text(text + "\n", encoding="utf-8")
        figure = _drawn(report, errors_by_criterion(passes))
        figure.savefig(folder / "accuracy.png", dpi=120)
        figure.savefig(folder / "accuracy.svg", metadata={"Date": None})
    except OSError as error:
        raise ConfigurationError(f"{folder}: {error.strerror}; name a folder that can be written") from None


def _drawn(report: AccuracyReport, errors: dict[Criterion, Errors]) -> Figure:
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2).flat
    for each, panel in zip(report.criteria, panels, strict=True):
        _draw(panel, each, errors[each.criterion])
    figure.suptitle(f"Errors of {report.passes} weighed passes; COST 323 class {report.cost_class}")
    return figure


def _draw(panel: Axes, each: CriterionReport, errors: Errors) -> None:
    panel.set_title(f"{each.criterion.value}: n = {each.count}, R 134 class {each.r134}")
    panel.set_xlabel("static reference, t")
    panel.set_ylabel("error, %")
    panel.axhline(0.0, color="0.6", linewidth=0.8)
    if each.count:
        panel.plot(errors.reference_kg / 1_000, errors.percent, ".", markersize=4, color="#1f5fa8")
        panel.axhline(each.mean, color="#c04000", linewidth=1.0, label=f"mean {each.mean:+.2f} %")
    if each.cost:
        label = f"COST 323 {each.cost.name}: +-{each.cost.tolerance:.1f} %"
        for sign in (1, -1):
            edge = sign * each.cost.tolerance
            panel.axhline(edge, color="0.3", linestyle="--", linewidth=0.8, label=label if sign > 0 else None)
    if each.count:
        panel.legend(loc="best", fontsize=8)
