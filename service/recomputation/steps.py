"""The steps of a computation: each with its words and numbers, what was decided and what comes out again.

Every figure of the event belongs to exactly one step, so that a difference anywhere is told, and where.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from cases.penalty import Words
from service.recomputation import words
from service.recomputation.package import Conclusions, Inputs, Json

_NOT_COMPUTED = frozenset(
    {"format", "software", "originals", "derived", "anti_forgery", "supplement", "predecessor", "answers"}
)
"""Members of an event that are no conclusions; `evidence.verify` holds them against the files."""


class Difference(NamedTuple):
    """One place where the package says something else than follows from it."""

    path: str
    decided: Any
    recomputed: Any


@dataclass(frozen=True)
class Step:
    """One step, in both languages."""

    name: str
    title: Words
    decided: Words
    """Its result as sealed."""
    recomputed: Words
    """Its result now."""
    explanation: Words
    """How it is reached, with the numbers."""
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every figure is the same to the last digit."""
        return not self.differences


class TableUsed(NamedTuple):
    """A table of law that the computation used."""

    name: str
    sha256: str
    in_package: bool
    published: bool
    """Whether its bytes are those of the table this software ships."""


@dataclass(frozen=True)
class Recomputation:
    """Everything that was computed again of one package."""

    package: str
    software: str
    """That computed now."""
    sealed_by: str
    algorithms: dict[str, str]
    tables: tuple[TableUsed, ...]
    steps: tuple[Step, ...]
    not_computed: tuple[str, ...]
    """Members of the event that this software knows nothing of."""

    @property
    def equal(self) -> bool:
        """Whether everything is the same to the last digit."""
        return all(step.equal for step in self.steps)


class _Part(NamedTuple):
    """Which members of the event a step shows, its result in a word, and its computation."""

    name: str
    title: Words
    paths: tuple[str, ...]
    result: Callable[[Conclusions], Words]
    explain: Callable[[Conclusions, Inputs], Words]


_MASS = "screening.adjudication."

PARTS = (
    _Part(
        "message",
        Words(zh="原始报文", en="Message as received"),
        ("header", "captured_at", "event_id", "originals.wire"),
        words.of_event,
        words.message,
    ),
    _Part(
        "weighing",
        Words(zh="波形称重", en="Weighing from the strips' signals"),
        ("weighing",),
        words.of_weighing,
        words.weighing,
    ),
    _Part("record", Words(zh="称重记录", en="Weigh record"), ("record",), words.of_record, words.record),
    _Part(
        "site",
        Words(zh="检定、公告与依据", en="Certificate, announcement, legal basis"),
        ("station",),
        words.of_site,
        words.site,
    ),
    _Part(
        "vehicle",
        Words(zh="车型与轴组", en="Vehicle and axle groups"),
        ("screening.vehicle_code", "screening.taken_as", "screening.groups", "screening.axle_flags"),
        words.of_vehicle,
        words.vehicle,
    ),
    _Part(
        "limit",
        Words(zh="总质量限值", en="Gross-mass limit"),
        ("screening.limit_steps", "screening.tables", _MASS + "limit_kg"),
        words.of_limit,
        words.limit,
    ),
    _Part(
        "deduction",
        Words(zh="扣减允许误差", en="Deduction of the permissible error"),
        tuple(_MASS + name for name in ("measured_gross_kg", "formula", "mpe_ppm", "after_deduction_kg")),
        words.of_deduction,
        words.deduction,
    ),
    _Part(
        "guard",
        Words(zh="扣减不确定度保护带", en="Guard band of the uncertainty"),
        tuple(_MASS + name for name in ("u_gross_ppm", "guard_k_milli", "after_guard_kg")),
        words.of_guard,
        words.guard,
    ),
    _Part(
        "adjudged",
        Words(zh="认定总质量", en="Adjudged gross mass"),
        (_MASS + "adjudged_kg",),
        words.of_adjudged,
        words.adjudged,
    ),
    _Part(
        "excess",
        Words(zh="超限量", en="Excess"),
        (_MASS + "over_kg", _MASS + "over_ppm"),
        words.of_excess,
        words.excess,
    ),
    _Part(
        "outcome",
        Words(zh="结论", en="Outcome"),
        ("screening",),
        words.of_outcome,
        words.outcome,
    ),
    _Part(
        "completeness",
        Words(zh="证据完整性", en="Completeness of the evidence"),
        ("completeness",),
        words.of_completeness,
        words.completeness,
    ),
    _Part(
        "proposal",
        Words(zh="处罚建议", en="Proposed penalty"),
        ("proposal",),
        words.of_proposal,
        words.proposal,
    ),
)
"""In the order computed; a difference belongs to the first part that has its path."""


def compare(inputs: Inputs, derived: Conclusions, further: tuple[Difference, ...]) -> tuple[Step, ...]:
    """Return the steps; `further` are differences found beside the event."""
    again = derived.document()
    found = [*further]
    for member in again:
        found += _differences(member, inputs.event.get(member), again[member])
    by_part: dict[str, list[Difference]] = {part.name: [] for part in PARTS}
    for one in found:
        by_part[_part_of(one.path).name].append(one)
    return tuple(
        Step(
            part.name,
            part.title,
            part.result(inputs.decided),
            part.result(derived),
            part.explain(derived, inputs),
            tuple(by_part[part.name]),
        )
        for part in PARTS
        if part.name != "weighing" or derived.weighing is not None or by_part["weighing"]
    )


def not_computed(event: Json, derived: Conclusions) -> tuple[str, ...]:
    """Return the members of an event that are neither conclusions nor known to be none."""
    return tuple(sorted(event.keys() - derived.document().keys() - _NOT_COMPUTED))


def _part_of(path: str) -> _Part:
    return next(part for part in PARTS if any(_within(path, prefix) for prefix in part.paths))


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))


def _differences(path: str, decided: Any, again: Any) -> Iterator[Difference]:
    if isinstance(decided, dict) and isinstance(again, dict):
        for name in sorted(decided.keys() | again.keys()):
            yield from _differences(f"{path}.{name}", decided.get(name), again.get(name))
    elif isinstance(decided, list) and isinstance(again, list) and len(decided) == len(again):
        for place, (one, other) in enumerate(zip(decided, again, strict=True)):
            yield from _differences(f"{path}[{place}]", one, other)
    elif decided != again or type(decided) is not type(again):
        yield Difference(path, decided, again)
