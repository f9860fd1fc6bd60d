"""From the message as received to the penalty proposed, by the same functions that decide live passages."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from pydantic import ValidationError

from cases.penalty import Proposal
from domain.completeness import Picture, Profile, missing
from domain.errors import ConfigurationError, EvidenceBroken, InputRefused
from domain.events import CaptureMessage, CaptureRole, Decoded, WaveformMessage, WeighMessage
from domain.ids import Sha256
from domain.law import LIMIT_TABLES, TARIFF_TABLE, LimitTables, Table, limits_of, published_tables, tariff_of
from domain.refusals import RefusalCode
from domain.screening import Outcome, RuleFigures, Screening
from domain.units import utc_text
from ingest.arrivals import Refusal, Refused
from ingest.decoders import Decoders, load_decoders
from ingest.limits import MIB, Limits
from service.recomputation.algorithms import PENALTIES, PENALTY, SCREENINGS, software
from service.recomputation.package import Completeness, Conclusions, Inputs, Json, SealedWire
from service.rule import rule_from
from service.steps.contents import facts_of, stable_header
from service.steps.screen import CLOCK_UNRELIABLE, held_back, is_clock_reliable
from service.steps.weigh import Passage, Weigher
from store.calibrations import InstalledState
from store.registry import local_day
from weigh.calibration.state import CalibrationState

_LIMITS = replace(Limits(), max_payload_bytes=128 * MIB)
"""What was let in once is read again, whatever size the deployment then allowed."""


class Messages(NamedTuple):
    """The package's messages, decoded."""

    weighed: WeighMessage | WaveformMessage
    captures: tuple[CaptureMessage, ...]


def derive(inputs: Inputs) -> Conclusions:
    """Return what follows from the messages of a package.

    Raises
    ------
    InputRefused
        No passage follows from them at all: they cannot be decoded, weigh nothing, or are of another event.
    ConfigurationError
        The package does not say by which rule it was decided, or names a table that is nowhere.
    """
    rule = inputs.decided.screening.rule
    if rule is None:
        raise ConfigurationError(f"{inputs.package} does not say by which rule it was decided")
    messages = _decoded(inputs)
    passage = _weighed(messages.weighed, inputs.calibration, rule)
    screening = _screened(passage, inputs, rule)
    header = passage.message.header
    return Conclusions(
        header=stable_header(header),
        captured_at=utc_text(header.captured_at),
        event_id=header.event_id,
        record=passage.message.record,
        weighing=passage.weighing(screening),
        screening=screening,
        completeness=_completeness(inputs, messages.captures),
        proposal=_proposal(screening, passage, inputs),
    )


def table_of(inputs: Inputs, name: str, digest: str | None) -> Table:
    """Return a table that the package was decided by: its own, or the published one that it names.

    Raises
    ------
    ConfigurationError
        The package does not hold it, and this software never shipped it.
    """
    found = inputs.tables.get(name) or published_tables().get(Sha256(digest or ""))
    if found is None:
        raise ConfigurationError(
            f"{inputs.package} does not hold the table {name} (SHA-256 {digest}), and {software()} never "
            f"shipped it; recompute it with {inputs.event.get('software', 'the software that sealed it')}"
        )
    return found


def _decoded(inputs: Inputs) -> Messages:
    decoders = Decoders(load_decoders(_LIMITS).values())
    weighed: list[WeighMessage | WaveformMessage] = []
    captures: dict[str, CaptureMessage] = {}
    for one in inputs.wires:
        for event in _events(one, decoders):
            if isinstance(event, CaptureMessage):
                captures[event.header.event_id] = event
            elif isinstance(event, WeighMessage | WaveformMessage):
                weighed.append(event)
    mine = [one for one in weighed if one.header.event_id == inputs.decided.event_id]
    if len(mine) != 1:
        seen = ", ".join(one.header.event_id for one in weighed) or "none"
        raise InputRefused(
            RefusalCode.IDENTITY_MISMATCH,
            f"the event is {inputs.decided.event_id}, the messages weigh {seen}",
        )
    return Messages(mine[0], tuple(captures.values()))


def _events(one: SealedWire, decoders: Decoders) -> list[Decoded]:
    events = []
    for arrival in decoders.arrivals(one.wire, now=one.wire.received_at):
        if isinstance(arrival, Refused):
            raise InputRefused(arrival.code, f"{one.path}: {arrival.detail}")
        events.append(arrival.decoded)
    return events


def _weighed(message: WeighMessage | WaveformMessage, calibration: Json | None, rule: RuleFigures) -> Passage:
    if isinstance(message, WeighMessage):
        return Passage(message)
    state = None
    if calibration is not None:
        read = CalibrationState.from_document(calibration)
        state = InstalledState(
            read.station, read.device, read.lane, read.version, read.valid_from, read.digest, calibration
        )
    (result,) = Weigher(timedelta(days=rule.calibration_max_age_days)).weigh([message], [state])
    if isinstance(result, Refusal):
        raise InputRefused(result.code, result.detail)
    return result


def _screened(passage: Passage, inputs: Inputs, rule: RuleFigures) -> Screening:
    screen = SCREENINGS[inputs.decided.screening.algorithm]
    (found,) = screen(
        [passage.message.record],
        [inputs.context],
        tables=_limits(inputs, passage, rule),
        rule=rule_from(rule),
    )
    bound = timedelta(milliseconds=rule.clock_bound_ms)
    clock = () if is_clock_reliable(passage.message, bound) else (CLOCK_UNRELIABLE,)
    screening = held_back(found, (*passage.held, *clock))
    flagged = screening.outcome is Outcome.OVERLOADED
    return screening.model_copy(update={"rule": rule}) if flagged else screening


def _limits(inputs: Inputs, passage: Passage, rule: RuleFigures) -> LimitTables:
    named = inputs.decided.screening.tables
    order62, gb1589 = (table_of(inputs, name, named.get(name)) for name in LIMIT_TABLES)
    day = local_day(passage.message.header.captured_at)
    return limits_of(order62, gb1589, on=day, confirmed_rows=frozenset(rule.confirmed_rows))


def _completeness(inputs: Inputs, captures: tuple[CaptureMessage, ...]) -> Completeness:
    """Return what the profile as sealed misses; where plates lie in the images is taken from the reading."""
    decided, reading = inputs.decided.completeness, inputs.reading
    if reading is None:
        raise EvidenceBroken("the package holds no data/reading.json, by which its images were counted")
    try:
        wanted = Profile.model_validate(decided.requires)
    except ValidationError:
        raise EvidenceBroken("the package does not say what its completeness profile asks for") from None
    clips = len({one.meta.sha256 for one in captures if one.meta.role is CaptureRole.CLIP})
    pictures = [
        Picture(one.meta.role, one.meta.sha256, one.header.captured_at)
        for one in captures
        if one.meta.sha256 in inputs.images
    ]
    gone = missing(wanted, facts_of(tuple(pictures), reading, inputs.context, clips=clips))
    return decided.model_copy(update={"missing": gone, "complete": not gone})


def _proposal(screening: Screening, passage: Passage, inputs: Inputs) -> Proposal | None:
    if screening.outcome is not Outcome.OVERLOADED:
        return None
    decided = inputs.decided.proposal
    # Of a proposal that was taken out, the present computation still says what it would have been.
    propose = PENALTIES[PENALTY if decided is None else decided.algorithm]
    table = table_of(inputs, TARIFF_TABLE, None if decided is None else decided.tariff_digest)
    return propose(screening, tariff_of(table, on=local_day(passage.message.header.captured_at)))
