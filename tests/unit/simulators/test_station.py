"""A station against a real broker: what it sends, what it sends again, and what it lets go of."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from simulators.link import Broker, Link, Receipt
from simulators.passages import Passage
from simulators.play import PlayOptions, play
from simulators.scenario import load_scenario
from simulators.spool import Spool
from simulators.station import Pace, Station
from simulators.truth import TruthFile, event_id, read_truth
from simulators.wire import Draft, Message
from tests.fixtures.brokers import RunningBroker

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSAGES = 12
PACE = Pace(every_s=0.0, start=AT, window=20, resend_after_s=0.4)


def make(number: int, at: datetime, _epoch: str) -> Passage:
    """Return a small passage."""
    record = Draft("wim-1", "weigh", at, "application/json", b'{"number":%d}' % number)
    capture = Draft("cam-front", "capture", at, "image/jpeg", bytes([number]) * 2000, {"role": "front"})
    return Passage((record, capture), {"number": number})


class Platform:
    """The other side: keeps what arrives and answers each message's n-th delivery with a receipt."""

    def __init__(self, broker: RunningBroker, *, receipt_at_delivery: int = 1) -> None:
        self.bodies: dict[tuple[str, int], set[bytes]] = {}
        self.deliveries: Counter[tuple[str, int]] = Counter()
        self.headers: list[dict[str, str]] = []
        self.states: list[str] = []
        self.refuse: set[tuple[str, int]] = set()
        self._receipt_at = receipt_at_delivery
        self._client = Client(CallbackAPIVersion.VERSION2, "platform", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("zhichao/v1/#", qos=1)
        self._client.on_message = self._on_message
        self._client.connect_async(broker.host, broker.port)
        self._client.loop_start()
        until(self._client.is_connected)

    def stop(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        kind = message.topic.split("/")[4]
        if kind == "status":
            self.states.append(json.loads(message.payload)["state"])
        if kind not in {"weigh", "capture"}:
            return
        header, body = _opened(message)
        key = (header["device"], int(header["seq"]))
        self.headers.append(header)
        self.bodies.setdefault(key, set()).add(hashlib.sha256(body).digest())
        self.deliveries[key] += 1
        if self.deliveries[key] >= self._receipt_at:
            self.receipt(header["station"], key, header["epoch"])

    def receipt(self, station: str, key: tuple[str, int], epoch: str) -> None:
        """Name one message in a receipt."""
        refused = [{"seq": key[1], "code": "out-of-range", "detail": "x"}] if key in self.refuse else []
        body = {"schema": 1, "epoch": epoch, "ranges": [[key[1], key[1]]], "refused": refused, "at": "now"}
        self._client.publish(f"zhichao/v1/{station}/{key[0]}/receipt", json.dumps(body), qos=1)


def _opened(message: MQTTMessage) -> tuple[dict[str, str], bytes]:
    properties = getattr(message.properties, "UserProperty", None)
    payload = bytes(message.payload)
    if properties:
        return dict(properties), payload
    end = 4 + int.from_bytes(payload[:4], "big")
    return json.loads(payload[4:end]), payload[end:]


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail after half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("what was waited for did not happen within 30 s")
        time.sleep(0.01)


def run_in_thread(station: Station, stop: threading.Event, *, passages: int) -> threading.Thread:
    """Start the station's life."""
    thread = threading.Thread(target=station.run, args=(stop,), kwargs={"passages": passages})
    thread.start()
    return thread


EVERYTHING = {(device, seq) for device in ("wim-1", "cam-front") for seq in range(1, PASSAGES + 1)}


@pytest.mark.parametrize("protocol", ["5", "311"])
def test_all_is_sent_and_the_spool_is_empty_at_the_end(
    broker: RunningBroker, protocol: str, tmp_path: Path
) -> None:
    platform = Platform(broker)
    platform.refuse.add(("wim-1", 3))
    port = broker.port if protocol == "5" else broker.port_311
    with Spool(tmp_path / "spool", "S1", "epoch1") as spool:
        station = Station(
            "S1",
            make=make,
            pace=PACE,
            spool=spool,
            link=Link(Broker(broker.host, port, protocol), "S1", "wim-1"),
            truth=TruthFile(tmp_path / "truth.jsonl"),
        )
        station.run(threading.Event(), passages=PASSAGES)
        assert len(spool) == 0
    until(lambda: platform.states[-1:] == ["offline"])
    platform.stop()
    assert platform.bodies.keys() == EVERYTHING
    assert all(len(digests) == 1 for digests in platform.bodies.values())
    assert station.counts.receipted == len(EVERYTHING)
    assert [(each["device"], each["seq"]) for each in station.refusals] == [("wim-1", 3)]
    assert "online" in platform.states
    assert all(header["sent_at"] > header["captured_at"] for header in platform.headers)
    passages, _ = read_truth(tmp_path / "truth.jsonl")
    assert list(passages) == [event_id("S1", "wim-1", "epoch1", seq) for seq in range(1, PASSAGES + 1)]


def test_what_is_not_receipted_is_sent_again_unchanged(iotcore_broker: RunningBroker, tmp_path: Path) -> None:
    platform = Platform(iotcore_broker, receipt_at_delivery=2)
    with Spool(tmp_path, "S1", "epoch1") as spool:
        link = Link(Broker(iotcore_broker.host, iotcore_broker.port), "S1", "wim-1")
        station = Station("S1", make=make, pace=PACE, spool=spool, link=link, truth=None)
        station.run(threading.Event(), passages=PASSAGES)
    platform.stop()
    assert platform.bodies.keys() == EVERYTHING
    assert all(len(digests) == 1 for digests in platform.bodies.values())
    assert station.counts.resent >= len(EVERYTHING)


def test_a_killed_broker_loses_nothing(iotcore_broker: RunningBroker, tmp_path: Path) -> None:
    platform = Platform(iotcore_broker)
    stop = threading.Event()
    with Spool(tmp_path, "S1", "epoch1") as spool:
        link = Link(Broker(iotcore_broker.host, iotcore_broker.port), "S1", "wim-1")
        slow = Pace(every_s=0.05, start=AT, window=20, resend_after_s=0.4)
        station = Station("S1", make=make, pace=slow, spool=spool, link=link, truth=None)
        thread = run_in_thread(station, stop, passages=PASSAGES)
        until(lambda: len(platform.bodies) >= 6)
        iotcore_broker.kill()
        until(lambda: station.counts.passages == PASSAGES)
        iotcore_broker.start()
        thread.join(60)
        assert not thread.is_alive()
        assert len(spool) == 0
    platform.stop()
    assert platform.bodies.keys() == EVERYTHING
    assert all(len(digests) == 1 for digests in platform.bodies.values())


def test_a_stopped_station_goes_on_where_it_was(iotcore_broker: RunningBroker, tmp_path: Path) -> None:
    platform = Platform(iotcore_broker)
    target = Broker(iotcore_broker.host, iotcore_broker.port)
    for passages in (5, PASSAGES):
        with Spool(tmp_path, "S1", f"epoch-{passages}") as spool:
            station = Station(
                "S1", make=make, pace=PACE, spool=spool, link=Link(target, "S1", "wim-1"), truth=None
            )
            station.run(threading.Event(), passages=passages)
    platform.stop()
    assert platform.bodies.keys() == EVERYTHING
    assert {header["epoch"] for header in platform.headers} == {"epoch-5"}


def test_without_a_platform_everything_waits_on_disk(iotcore_broker: RunningBroker, tmp_path: Path) -> None:
    stop = threading.Event()
    with Spool(tmp_path, "S1", "epoch1") as spool:
        link = Link(Broker(iotcore_broker.host, iotcore_broker.port), "S1", "wim-1")
        paced = Pace(every_s=0.001, start=AT, window=20, resend_after_s=60)
        station = Station("S1", make=make, pace=paced, spool=spool, link=link, truth=None)
        thread = run_in_thread(station, stop, passages=PASSAGES)
        until(lambda: station.counts.passages == PASSAGES and station.counts.sent == 20)
        stop.set()
        thread.join(30)
        assert len(spool) == len(EVERYTHING)


def test_a_whole_scenario_plays_and_writes_its_truth(
    iotcore_broker: RunningBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = Platform(iotcore_broker)
    options = PlayOptions(
        seed=3,
        rate=0,
        spool=tmp_path / "spool",
        truth=tmp_path / "truth.jsonl",
        passages=7,
        start=AT,
        progress=True,
    )
    broker = Broker(iotcore_broker.host, iotcore_broker.port)
    assert play(load_scenario("three-stations"), broker, options, threading.Event())
    platform.stop()
    passages, faults = read_truth(tmp_path / "truth.jsonl")
    assert (len(passages), faults) == (7, [])
    assert {entry["station"] for entry in passages.values()} == {"SIM-K2310", "SIM-K0087", "SIM-K0019"}
    sent = {(header["station"], header["device"], int(header["seq"])) for header in platform.headers}
    assert len(sent) == 28
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["event"] == "done"
    assert (lines[-1]["passages"], lines[-1]["receipted"], lines[-1]["spooled"]) == (7, 28, 0)


def test_faults_go_out_beside_the_passages_and_are_in_the_truth(
    iotcore_broker: RunningBroker, tmp_path: Path
) -> None:
    platform = Platform(iotcore_broker)
    truth = tmp_path / "truth.jsonl"
    options = PlayOptions(seed=3, rate=0, spool=tmp_path / "spool", truth=truth, passages=6, start=AT)
    broker = Broker(iotcore_broker.host, iotcore_broker.port)
    assert play(load_scenario("faults"), broker, options, threading.Event())
    until(lambda: sum(header["epoch"].startswith("fault-") for header in platform.headers) == 2)
    platform.stop()
    passages, faults = read_truth(truth)
    assert len(passages) == 6
    assert [(entry["fault"], entry["expects"]) for entry in faults] == [
        ("broken-json", "broken-json"),
        ("wrong-type", "field-invalid"),
    ]


class BreakingLink(Link):
    """A link without a network: breaks once after the first `until_break` messages, then delivers."""

    def __init__(self, until_break: int) -> None:
        super().__init__(Broker("127.0.0.1", 1), "S1", "wim-1")
        self.connections = 1
        self.sent: list[tuple[str, int]] = []
        self._until_break = until_break
        self._receipts: list[Receipt] = []

    @property
    def connected(self) -> bool:
        """Always, as far as anybody can tell."""
        return True

    def start(self) -> None:
        """Nothing to connect to."""

    def stop(self) -> None:
        """Nothing to end."""

    def send_status(self, spool_messages: int) -> None:
        """Nobody listens."""

    def send(self, message: Message) -> None:
        """Lose what is sent before the break; receipt what is sent after it."""
        self.sent.append((message.device, message.sequence))
        if self.connections == 1:
            self.connections += len(self.sent) == self._until_break
        else:
            span = (message.sequence, message.sequence)
            self._receipts.append(Receipt(message.device, message.epoch, (span,), ()))

    def take_receipts(self) -> list[Receipt]:
        """Return the receipts due."""
        taken, self._receipts = self._receipts, []
        return taken


def test_a_new_connection_sends_at_once_what_the_old_one_may_have_lost(tmp_path: Path) -> None:
    """No wait for the resend time, which here never comes."""
    link = BreakingLink(until_break=6)
    patient = Pace(every_s=0.001, start=AT, window=60, resend_after_s=1e9)
    with Spool(tmp_path, "S1", "epoch1") as spool:
        station = Station("S1", make=make, pace=patient, spool=spool, link=link, truth=None)
        thread = run_in_thread(station, stop := threading.Event(), passages=3)
        thread.join(20)
        stop.set()
        thread.join(20)
        assert len(spool) == 0
    assert Counter(link.sent) == Counter({(device, seq): 2 for device, seq in EVERYTHING if seq <= 3})
