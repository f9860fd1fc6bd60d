"""A station's connection to the broker, over paho-mqtt, MQTT 5 or 3.1.1.

paho's own thread reconnects for ever; this class only knows whether the connection stands, counts
connections, and hands receipts on through a queue, so that no state is touched by two threads.
"""

import json
import queue
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from simulators.signing import signed_status
from simulators.wire import Message, framed, status_body, with_sent_at


@dataclass(frozen=True)
class Broker:
    """Where the broker is, and which MQTT it speaks there: "5" or "311".

    With a password and no user name, each station signs in under its own id.
    """

    host: str
    port: int
    protocol: str = "5"
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    """Certificates that vouch for the broker; None means no TLS."""


@dataclass(frozen=True)
class Receipt:
    """What the platform has committed, as a station reads it."""

    device: str
    epoch: str
    ranges: tuple[tuple[int, int], ...]
    refused: tuple[dict[str, Any], ...]


class Link:
    """One MQTT connection of one station; `device` is the one whose status and last will it carries.

    With `signs`, the device signs both; what comes out of the spool is signed already.
    """

    def __init__(self, broker: Broker, station: str, device: str, *, signs: bool = False) -> None:
        self._arrived: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        self.connections = 0
        self._five = broker.protocol == "5"
        self._broker = broker
        self._station, self._device, self._signs = station, device, signs
        self._status_topic = f"zhichao/v1/{station}/{device}/status"
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"zhichao-station-{station}",
            protocol=MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311,
        )
        if broker.password is not None:
            self._client.username_pw_set(broker.username or station, broker.password)
        if broker.ca_file is not None:
            self._client.tls_set(ca_certs=str(broker.ca_file))
        will, properties = self._status(status_body("offline"), PacketTypes.WILLMESSAGE)
        self._client.will_set(self._status_topic, will, qos=1, retain=True, properties=properties)
        self._client.reconnect_delay_set(1, 5)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        return self._client.is_connected()

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=20)
        self._client.loop_start()

    def stop(self) -> None:
        """Say "offline" and end the connection."""
        if self.connected:
            self._publish_status(status_body("offline"), qos=1).wait_for_publish(2)
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, message: Message) -> None:
        """Publish a message at QoS 1, stamped with the time of sending."""
        header = with_sent_at(message, datetime.now(UTC))
        self.send_raw(message.topic, message.body, header, message.content_type)

    def send_raw(self, topic: str, body: bytes, header: dict[str, str], content_type: str) -> None:
        """Publish exactly this, right or wrong; faults go out through here."""
        payload, properties = self._packed(header, content_type, body, PacketTypes.PUBLISH)
        self._client.publish(topic, payload, qos=1, properties=properties)

    def send_status(self, spool_messages: int) -> None:
        """Publish the live status at QoS 0; retained, so that it takes the last will's place."""
        self._publish_status(status_body("online", spool_messages=spool_messages, sent_at=datetime.now(UTC)))

    def _publish_status(self, body: bytes, qos: int = 0) -> MQTTMessageInfo:
        payload, properties = self._status(body, PacketTypes.PUBLISH)
        return self._client.publish(self._status_topic, payload, qos=qos, retain=True, properties=properties)

    def _status(self, body: bytes, packet: int) -> tuple[bytes, Properties | None]:
        if not self._signs:
            return body, None
        message = signed_status(self._station, self._device, body)
        return self._packed(message.header, message.content_type, message.body, packet)

    def _packed(
        self, header: dict[str, str], content_type: str, body: bytes, packet: int
    ) -> tuple[bytes, Properties | None]:
        """Return payload and properties, the header in the one or the other."""
        if not self._five:
            return framed(header, content_type, body), None
        properties = Properties(packet)  # type: ignore[no-untyped-call]
        properties.ContentType = content_type
        properties.UserProperty = list(header.items())
        return body, properties

    def take_receipts(self) -> list[Receipt]:
        """Return the receipts that have arrived since the last call."""
        taken = []
        while not self._arrived.empty():
            taken.append(_receipt(self._arrived.get()))
        return taken

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            self.connections += 1
            client.subscribe(f"zhichao/v1/{self._station}/+/receipt", qos=1)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._arrived.put(message)


def _receipt(message: MQTTMessage) -> Receipt:
    body = json.loads(message.payload)
    return Receipt(
        device=message.topic.split("/")[3],
        epoch=body["epoch"],
        ranges=tuple((int(first), int(last)) for first, last in body["ranges"]),
        refused=tuple(body.get("refused", ())),
    )
