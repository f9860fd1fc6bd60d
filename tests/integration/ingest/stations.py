"""A station for the tests: paho, in its own thread, independent of the ingester's client and encoder."""

import json
import ssl
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.fixtures.brokers import PASSWORDS, RunningBroker

WAIT_S = 60.0


def now_text() -> str:
    """Return the time as a header carries it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def body(sequence: int) -> bytes:
    """Return a weigh record that knows its number."""
    return json.dumps(
        {
            "match_key": f"k{sequence}",
            "lane": 1,
            "direction": "up",
            "speed_kmh": 63.4,
            "gross_kg": 17900,
            "axles": [{"load_kg": 6400}, {"load_kg": 11500}],
            "spacings_mm": [4500],
        }
    ).encode()


class Station:
    """One device `wim-1` of a station, as a context manager; collects the receipts it is sent."""

    def __init__(self, broker: RunningBroker, station: str = "S1", *, protocol: str = "5") -> None:
        self.station = station
        self.receipted: set[int] = set()
        self.refused: dict[int, str] = {}
        self._five = protocol == "5"
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"station-{station}",
            protocol=MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311,
        )
        if broker.ca_file is not None:
            self._client.username_pw_set(station, PASSWORDS[station])
            self._client.tls_set_context(ssl.create_default_context(cafile=str(broker.ca_file)))
        self._client.max_inflight_messages_set(100)
        self._client.will_set(
            f"zhichao/v1/{station}/wim-1/status", b'{"state":"offline"}', qos=1, retain=True
        )
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_connect = lambda client, *_: client.subscribe(
            f"zhichao/v1/{station}/+/receipt", qos=1
        )
        self._address = broker.host, broker.port if self._five else broker.port_311

    def __enter__(self) -> Self:
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(*self._address)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, sequences: Iterable[int], **changes: str) -> list[mqtt.MQTTMessageInfo]:
        """Publish weigh records of these numbers; `changes` bend the header."""
        return [self.send_one(sequence, body(sequence), **changes) for sequence in sequences]

    def send_one(self, sequence: int, payload: bytes, **changes: str) -> mqtt.MQTTMessageInfo:
        """Publish one message of this number with any body."""
        head = {
            "schema": "1",
            "station": self.station,
            "device": "wim-1",
            "epoch": "e0",
            "seq": str(sequence),
            "captured_at": now_text(),
            "sent_at": now_text(),
            "clock_source": "gnss",
        } | changes
        topic = f"zhichao/v1/{self.station}/wim-1/weigh"
        if not self._five:
            frame = json.dumps(head | {"content_type": "application/json"}).encode()
            return self._client.publish(topic, len(frame).to_bytes(4, "big") + frame + payload, qos=1)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        properties.UserProperty = list(head.items())
        return self._client.publish(topic, payload, qos=1, properties=properties)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish anything, and wait until the broker has it."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)

    def vanish(self) -> None:
        """Lose the connection without a word, so that the broker publishes the last will."""
        connection = self._client.socket()
        assert connection is not None
        self._client.loop_stop()
        connection.close()

    def wait_for_receipts(self, sequences: Iterable[int]) -> None:
        """Wait until every number is receipted."""
        wanted = set(sequences)
        with self._changed:
            arrived = self._changed.wait_for(lambda: wanted <= self.receipted, WAIT_S)
        assert arrived, f"no receipt for {sorted(wanted - self.receipted)[:20]}"

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        receipt: dict[str, Any] = json.loads(message.payload)
        with self._changed:
            for first, last in receipt["ranges"]:
                self.receipted |= set(range(first, last + 1))
            self.refused |= {refusal["seq"]: refusal["code"] for refusal in receipt["refused"]}
            self._changed.notify_all()
