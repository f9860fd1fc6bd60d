"""Computing a package again, and holding every figure against the one that was decided."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from cases.penalty import Words
from domain.errors import InputRefused
from domain.law import LIMIT_TABLES, TARIFF_TABLE, published_tables
from domain.registry import Announcement, Certificate, LegalBasis, Site
from evidence.parsing import moment_of
from service.recomputation.algorithms import named, require_known, software
from service.recomputation.derive import derive, table_of
from service.recomputation.package import Conclusions, Inputs, read_package
from service.recomputation.steps import Difference, Recomputation, Step, TableUsed, compare, not_computed
from store.registry import local_day


def recompute(folder: Path) -> Recomputation:
    """Return every step of a package's computation, done again with what lies in its folder alone.

    Raises
    ------
    ConfigurationError
        It was decided by a version, or by a table, that neither this software nor the package has.
    EvidenceBroken
        The folder is no package of this format.
    """
    inputs = read_package(folder)
    require_known(inputs)
    further = (*_changed_messages(inputs), *_out_of_force(inputs))
    try:
        derived = derive(inputs)
    except InputRefused as refusal:
        return _result(inputs, (_unfounded(inputs, refusal),), ())
    return _result(inputs, compare(inputs, derived, further), not_computed(inputs.event, derived))


def _result(inputs: Inputs, steps: tuple[Step, ...], unknown: tuple[str, ...]) -> Recomputation:
    return Recomputation(
        package=inputs.package,
        software=software(),
        sealed_by=str(inputs.event.get("software", "")),
        algorithms=named(inputs),
        tables=tuple(_tables(inputs)),
        steps=steps,
        not_computed=unknown,
    )


def _tables(inputs: Inputs) -> Iterator[TableUsed]:
    decided = inputs.decided
    named = {name: decided.screening.tables.get(name) for name in LIMIT_TABLES}
    if decided.proposal is not None:
        named[TARIFF_TABLE] = decided.proposal.tariff_digest
    for name, digest in named.items():
        used = table_of(inputs, name, digest)
        yield TableUsed(name, used.digest, name in inputs.tables, used.digest in published_tables())


def _changed_messages(inputs: Inputs) -> Iterator[Difference]:
    """Yield the messages whose bytes are not those that the event lists."""
    for one in inputs.wires:
        if one.sha256 != one.listed_sha256:
            yield Difference(f"originals.wire.{one.path}", one.listed_sha256, one.sha256)


def _out_of_force(inputs: Inputs) -> Iterator[Difference]:
    """Yield the papers that lie beside the event and were not in force on its day."""
    day = local_day(moment_of(inputs.decided.captured_at, "the event's captured_at"))
    context = inputs.context
    papers = {
        "site": context.site,
        "certificate": context.certificate,
        "announcement": context.announcement,
        "legal-basis": context.legal_basis,
    }
    for name, paper in papers.items():
        if paper is not None and not _in_force(paper, day):
            yield Difference(f"station.{name}", "in force", f"not in force on {day}")


def _in_force(paper: Site | Certificate | Announcement | LegalBasis, day: date) -> bool:
    if isinstance(paper, Announcement):
        return paper.in_force_from <= day <= (paper.in_force_to or day)
    return paper.valid_from <= day <= (paper.valid_to or day)


def _unfounded(inputs: Inputs, refusal: InputRefused) -> Step:
    """Return the one step there is where no passage follows from the messages."""
    decided: Conclusions = inputs.decided
    said = Words(
        zh=f"报文得不出该次通过：{refusal}", en=f"no such passage follows from the messages: {refusal}"
    )
    return Step(
        "message",
        Words(zh="原始报文", en="Message as received"),
        Words(zh=decided.event_id, en=decided.event_id),
        Words(zh="无", en="none"),
        said,
        (Difference("event_id", decided.event_id, None),),
    )
