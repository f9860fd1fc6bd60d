"""A station maker's own MQTT client, on paho: sends anything, right or wrong, and listens for receipts."""

import json
import threading
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_WITHIN_S = 60.0
RECEIPTS = "zhichao/v1/+/+/receipt"


@dataclass(frozen=True)
class Receipted:
    """One receipt as it arrived."""

    topic: str
    body: dict[str, Any]

    def names(self, sequence: int) -> bool:
        """Say whether the sequence number lies in one of the ranges."""
        return any(first <= sequence <= last for first, last in self.body["ranges"])

    def refusal(self, sequence: int) -> dict[str, Any] | None:
        """Return what is said of a refused sequence number."""
        return next((one for one in self.body["refused"] if one["seq"] == sequence), None)


class Publisher:
    """One connection; what is published is at the broker when `publish` returns."""

    def __init__(self, port: int, *, client_id: str, protocol: MQTTProtocolVersion) -> None:
        self._five = protocol is MQTTProtocolVersion.MQTTv5
        self._listening = threading.Event()
        self._receipts: list[Receipted] = []
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._listening.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> "Publisher":
        self._client.loop_start()
        assert self._listening.wait(_WITHIN_S), "the broker does not let receipts be subscribed to"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self, topic: str, payload: bytes, *, header: dict[str, str], content_type: str | None
    ) -> None:
        """Publish at QoS 1; header and content type travel as MQTT 5 properties, in 3.1.1 not at all."""
        properties = None
        if self._five:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if header:
                properties.UserProperty = list(header.items())
            if content_type is not None:
                properties.ContentType = content_type
        sending = self._client.publish(topic, payload, qos=1, properties=properties)
        sending.wait_for_publish(_WITHIN_S)
        assert sending.is_published(), f"the broker did not take {len(payload)} bytes on {topic}"

    def receipts_for(self, topic: str, epoch: str, sequence: int) -> list[Receipted]:
        """Return the receipts so far that name this message, in the order they came."""
        return [
            one
            for one in list(self._receipts)
            if one.topic == topic and one.body["epoch"] == epoch and one.names(sequence)
        ]

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        assert not reason.is_failure, reason
        client.subscribe(RECEIPTS, qos=1)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._receipts.append(Receipted(message.topic, json.loads(message.payload)))
