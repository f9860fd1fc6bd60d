"""Bad input among good: each kind is quarantined with its reason, receipted and shown; nothing else stops.

The faults are the simulators' own catalogue and some an attacker would add. They are sent by a client of
their own, over MQTT 5 and 3.1.1, while another station's good passages go through the same ingester.
"""

import asyncio
import hashlib
import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from domain.refusals import ADVICE, RefusalCode
from simulators.faults import Fault, RawMessage, fault_for
from simulators.passages import STRIP
from simulators.wire import capture_draft, framed, json_bytes, number, time_text, weigh_draft
from tests.acceptance.installation import Installation
from tests.acceptance.publisher import Publisher, Receipted

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

STATION = "SIM-FAULTS"
GOOD_PASSAGES = 20
PROMISED = {
    "broken-json",
    "wrong-type",
    "not-a-number",
    "negative-weight",
    "absurd-weight",
    "truncated-jpeg",
    "enormous-jpeg",
    "wrong-checksum",
    "unknown-station",
    "clock-a-year-off",
    "duplicate",
    "axle-sum",
}
MARKUP = "<script>alert('zhichao')</script>"


@dataclass(frozen=True)
class Sent:
    """One message as it went out, and what must become of it."""

    fault: str
    expects: RefusalCode | None
    message: RawMessage
    payload: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the whole payload, by which quarantine knows it."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def receipt_topic(self) -> str:
        """Where its station listens for the receipt."""
        return re.sub("/[a-z]+$", "/receipt", self.message.topic)

    def receipts(self, client: Publisher) -> list[Receipted]:
        """Return the receipts that name it."""
        header = self.message.header
        return client.receipts_for(self.receipt_topic, header["epoch"], int(header["seq"]))

    @property
    def can_be_receipted(self) -> bool:
        """Whether it says which message it is; without that no receipt can name it."""
        return "epoch" in self.message.header


def catalogue(epoch: str) -> list[Fault]:
    """Return every fault of the simulators once."""
    at = datetime.now(UTC) - timedelta(seconds=2)
    faults = (fault_for(turn, STATION, STRIP, epoch, at) for turn in count())
    first = next(faults)
    return [first, *takewhile(lambda fault: fault.name != first.name, faults)]


def attacks(epoch: str) -> list[Fault]:
    """Return what somebody would send on purpose, with numbers the catalogue does not use."""
    at = datetime.now(UTC) - timedelta(seconds=2)
    record: dict[str, Any] = {
        "match_key": "attack",
        "lane": 1,
        "direction": "up",
        "speed_kmh": 61.5,
        "gross_kg": 9000,
        "axles": [{"load_kg": 4000}, {"load_kg": 5000}],
        "spacings_mm": [4200],
    }
    numbers = count(1001)

    def weigh(body: bytes, **header: str) -> RawMessage:
        draft = replace(weigh_draft(STRIP, {}, at), body=body)
        made = number(draft, station=STATION, epoch=epoch, sequence=next(numbers))
        return RawMessage(made.topic, body, made.header | header, made.content_type)

    def picture(body: bytes) -> RawMessage:
        draft = capture_draft("cam-front", "front", body, at, match_key="attack", lane=1)
        made = number(draft, station=STATION, epoch=epoch, sequence=next(numbers))
        return RawMessage(made.topic, body, made.header, made.content_type)

    good = json_bytes(record)
    sent = {
        ("overflow", RefusalCode.OUT_OF_RANGE): weigh(good.replace(b"61.5", b"1e999")),
        ("infinity", RefusalCode.NOT_FINITE): weigh(good.replace(b"61.5", b"-Infinity")),
        ("not-utf-8", RefusalCode.BROKEN_JSON): weigh(b"\xff\xfe" + good),
        ("nested", RefusalCode.FIELD_INVALID): weigh(b"[" * 4000 + b"]" * 4000),
        ("equal-keys", RefusalCode.BROKEN_JSON): weigh(good[:-1] + b',"gross_kg":8000}'),
        ("nul", RefusalCode.FIELD_INVALID): weigh(json_bytes(record | {"match_key": "a\0b"})),
        ("markup", RefusalCode.FIELD_INVALID): weigh(json_bytes(record | {"direction": MARKUP})),
        ("another's-name", RefusalCode.IDENTITY_MISMATCH): weigh(good, station="SIM-BENCH"),
        ("bomb", RefusalCode.PAYLOAD_TOO_LARGE): picture(_picture_of(65_000, 65_000)),
        ("no-picture", RefusalCode.IMAGE_UNREADABLE): picture(b"\xff\xd8\xff\xd9"),
    }
    return [Fault(name, expects, (message,)) for (name, expects), message in sent.items()]


def _picture_of(width_px: int, height_px: int) -> bytes:
    """Return a small file that claims to be so large: start, frame header, one empty scan, end."""
    frame = b"\x08" + height_px.to_bytes(2, "big") + width_px.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    return (
        b"\xff\xd8\xff\xc0"
        + (len(frame) + 2).to_bytes(2, "big")
        + frame
        + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
        b"\x00\xff\xd9"
    )


def send(client: Publisher, faults: list[Fault], *, five: bool) -> list[Sent]:
    """Publish all messages of all faults, in order."""
    sent = []
    for fault in faults:
        last = len(fault.messages) - 1
        for place, message in enumerate(fault.messages):
            header = {"sent_at": time_text(datetime.now(UTC)), **message.header}
            payload = message.body if five else framed(header, message.content_type, message.body)
            client.publish(
                message.topic,
                payload,
                header=header if five else {},
                content_type=message.content_type if five else None,
            )
            sent.append(Sent(fault.name, fault.expects if place == last else None, message, payload))
    return sent


async def until(check: Callable[[], bool], *, within_s: float = 240) -> None:
    """Wait until a check holds, or the time is up: what is missing is then said by the assertions."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        if check() or loop.time() > deadline:
            return
        await asyncio.sleep(0.1)


def test_the_catalogue_holds_every_promised_kind() -> None:
    assert {fault.name for fault in catalogue("any")} >= PROMISED


@pytest.mark.parametrize("five", [True, False], ids=["mqtt-5", "mqtt-3.1.1"])
async def test_bad_input_is_kept_told_and_shown_and_stops_nothing(
    installation: Installation, five: bool
) -> None:
    settings, name = installation.system.settings, "v5" if five else "v311"
    restarts = {child: one.restarts for child, one in installation.system.supervisor.children.items()}
    good = asyncio.create_task(
        installation.play("ten-percent", name=f"good-{name}", passages=GOOD_PASSAGES, rate=4)
    )
    try:
        client = Publisher(
            settings.broker_port if five else settings.broker_port_311,
            client_id=f"acceptance-{name}",
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        )
        with client:
            faults = [*catalogue(f"acc-{name}"), *attacks(f"attack-{name}")]
            sent = await asyncio.to_thread(send, client, faults, five=five)
            receipted = [one for one in sent if one.can_be_receipted]
            await until(lambda: all(one.receipts(client) for one in receipted))
            passages = await good
            _check_receipts(client, receipted)
    finally:
        good.cancel()

    quarantined = await _check_quarantine(installation, sent)
    await _check_page(installation, quarantined)
    await _check_counts(installation, f"acc-{name}")
    await _check_good_passages(installation, passages)
    now = {child: one.restarts for child, one in installation.system.supervisor.children.items()}
    assert now == restarts, "a process died of it"


def _check_receipts(client: Publisher, sent: list[Sent]) -> None:
    for one in sent:
        receipts = one.receipts(client)
        assert receipts, f"{one.fault}: no receipt names it"
        refusals = [receipt.refusal(int(one.message.header["seq"])) for receipt in receipts]
        if one.expects is not None:
            told = [refusal for refusal in refusals if refusal is not None]
            assert [refusal["code"] for refusal in told] == [one.expects], one.fault
            assert all(refusal["detail"] for refusal in told), one.fault
        elif one.fault == "duplicate":
            assert not any(refusals), "a plain duplicate is no refusal"


async def _check_quarantine(installation: Installation, sent: list[Sent]) -> dict[str, tuple[str, str]]:
    """Each refused message lies there once, whole, with the expected code; return (code, detail) by fault."""
    found = {}
    for one in sent:
        rows = await installation.system.rows(
            "SELECT code, detail, topic, payload_size FROM quarantine WHERE payload_sha256 = %s", one.digest
        )
        if one.expects is None:
            assert rows == [], one.fault
            continue
        assert [(row[0], row[2], row[3]) for row in rows] == [
            (one.expects, one.message.topic, len(one.payload))
        ], one.fault
        found[one.fault] = (rows[0][0], rows[0][1])
    return found


async def _check_page(installation: Installation, quarantined: dict[str, tuple[str, str]]) -> None:
    """The page shows each reason and, in the reader's language, what the sender can do."""
    async with installation.signed_in("reviewer1") as client:
        for language in ("zh-CN", "en"):
            await client.get(f"/language/{language}")
            page = (await client.get("/quarantine")).text
            assert MARKUP not in page
            lines = [html.unescape(line) for line in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
            for fault, (code, detail) in quarantined.items():
                advice = ADVICE[RefusalCode(code)]
                words = advice.zh if language == "zh-CN" else advice.en
                shown = [line for line in lines if code in line and detail in line]
                assert shown, f"{fault}: {detail} is not on the page"
                assert all(words in line for line in shown), fault


async def _check_counts(installation: Installation, epoch: str) -> None:
    """The duplicate is counted; what came first under a number is stored once, whatever came after it."""
    rows = await installation.system.rows(
        "SELECT l.outcome, l.duplicates, p.lane FROM ledger l JOIN passage p USING (event_id)"
        " WHERE l.epoch = %s ORDER BY l.sequence",
        f"fault-{epoch}",
    )
    assert rows == [("passage", 1, 1), ("passage", 0, 1)], "of `duplicate` and `sequence-conflict`"


async def _check_good_passages(installation: Installation, sent: dict[str, dict[str, Any]]) -> None:
    """All that is good has gone its whole way meanwhile."""
    assert len(sent) == GOOD_PASSAGES
    rows = await installation.system.rows(
        "SELECT event_id FROM passage WHERE event_id = ANY(%s) ORDER BY event_id", list(sent)
    )
    assert [row[0] for row in rows] == sorted(sent)
    flagged = [event for event, entry in sent.items() if entry["oracle"]["outcome"] == "overloaded"]
    assert flagged
    await installation.settle(flagged)
    cases = await installation.cases("supervisor")
    for event in flagged:
        await installation.verify(cases[event])
