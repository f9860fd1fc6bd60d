"""The one adapter to aiomqtt: at-least-once delivery, acknowledged only when we say so.

aiomqtt acknowledges a message before it is processed. Here paho's manual acknowledgement is on, and

1. every connection is a new `aiomqtt.Client` and a new generation;
2. a message's acknowledgement is sent only on the connection that delivered it: packet ids are reused,
   so an old one would acknowledge somebody else's message. What an old connection delivered is dropped
   here and comes again;
3. the subscription runs beside consumption: with a persistent session the broker first sends the
   unacknowledged window again, and the SUBACK waits behind it;
4. memory is bounded by ourselves: brokers ignore Receive Maximum, and aiomqtt's own bound drops
   messages. Past the bound the socket is not read until enough has been acknowledged;
5. a message whose strings MQTT forbids (U+0000) ends the connection in paho, and comes again, for ever.
   Mosquitto lets none through, iotcore does: after ten connections that ended so without progress the
   session is begun anew, once. What is lost with it comes again from the stations' spools; gateways have
   none, so no other end of a connection is a reason for it, above all not a session taken over;
6. connections that stand and end at once are most likely taken over by another client with our identifier
   (Mosquitto does not always say so): we ask, and wait ever longer before we take the session back;
7. a message kept back (not even its refusal could be stored) fills the broker's window and ours. After
   `redeliver_after_s`, or when such messages are half the window, the connection is dropped: the broker
   delivers them again;
8. a socket that wants to be written to is watched only if it is still open when the event loop comes to it:
   its number may by then be another connection's, the database's for instance.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from domain.errors import ConfigurationError, ServiceUnavailable
from domain.events import Wire
from ingest.batching import BackOff

logger = logging.getLogger(__name__)

_SUBSCRIBE_WITHIN_S = 60.0
_MAX_QUEUED_RECEIPTS = 100_000
_UNREADABLE_IN_A_ROW = 10
_PROTOCOL_ERROR = 130
_SHORT_LIFE_S = 5.0
_SHORT_LIVES_IN_A_ROW = 5


@dataclass(frozen=True)
class TlsSettings:
    """Encryption to the broker: whom to trust, and how to show who we are."""

    ca_file: Path | None = None
    """Certificates to trust; None for the system's."""
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True)
class BrokerSettings:
    """How to reach the broker. Two ingesters must never share a `client_id`."""

    host: str
    port: int
    client_id: str = "zhichao-ingest"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsSettings | None = None
    share_group: str | None = None
    """Share the load with other ingesters of this group (`$share`; not with iotcore)."""
    session_expiry_s: int = 20 * 3600
    """How long the broker keeps our messages while we are away. Below `Limits.clock_tolerance`: an older
    message would be refused for its `sent_at`; dropped by the broker, it comes again from the spool."""
    keepalive_s: int = 30
    max_in_flight: int = 2_000
    """Messages held here unacknowledged."""
    max_in_flight_bytes: int = 256 * 1024 * 1024
    redeliver_after_s: float = 60.0
    """How long messages kept back wait before the broker is made to deliver them again."""
    back_off: BackOff = field(default_factory=lambda: BackOff(first_s=0.1, longest_s=10.0))


@dataclass(frozen=True)
class Delivery:
    """A message with what it takes to acknowledge it."""

    generation: int
    packet_id: int
    qos: int
    wire: Wire

    @property
    def size_bytes(self) -> int:
        """Bytes of the payload."""
        return len(self.wire.payload)


class BrokerLink:
    """A connection that is always being kept up; messages come out of `inbox`."""

    def __init__(
        self,
        settings: BrokerSettings,
        topic_filters: Sequence[str],
        *,
        ready: Callable[[], None] | None = None,
    ) -> None:
        self.inbox: asyncio.Queue[Delivery] = asyncio.Queue()
        self.connections = 0
        """How often a subscribed connection has stood."""
        self._settings = settings
        prefix = f"$share/{settings.share_group}/" if settings.share_group else ""
        self._filters = [(prefix + topic_filter, 1) for topic_filter in topic_filters]
        self._ready = ready
        self._client: aiomqtt.Client | None = None
        self._generation = 0
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._kept_back = self._kept_back_bytes = 0
        self._redeliver = asyncio.Event()
        self._paused: int | None = None
        self._clean_start = False
        self._unreadable = False
        self._unreadable_in_a_row = 0
        self._tls = _tls_context(settings.tls)

    @property
    def in_flight(self) -> int:
        """Messages delivered on this connection and not yet acknowledged."""
        return self._in_flight

    async def run(self) -> None:
        """Connect, subscribe and receive until cancelled; a lost connection is made again."""
        failures = short_lives = 0
        while True:
            stood, began_at = self.connections, asyncio.get_running_loop().time()
            try:
                await self._one_connection()
            except* (aiomqtt.MqttError, ServiceUnavailable) as group:
                error = _first(group)
                logger.warning("broker %s: %s; connecting again", self._where, error.__cause__ or error)
            self._unreadable_in_a_row += self._unreadable
            if asyncio.get_running_loop().time() - began_at >= _SHORT_LIFE_S:
                failures = short_lives = 0
            failures += 1
            short_lives += self.connections > stood and not self._unreadable
            if short_lives >= _SHORT_LIVES_IN_A_ROW:
                self._ask_for_a_rival()
            await asyncio.sleep(self._settings.back_off.pause_s(failures))

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge a message whose content is committed; nothing happens if its connection is gone."""
        if delivery.generation != self._generation or self._client is None:
            return
        if delivery.qos > 0:
            self._client._client.ack(delivery.packet_id, delivery.qos)
        self._unreadable_in_a_row = 0
        self._in_flight -= 1
        self._in_flight_bytes -= delivery.size_bytes
        self._resume_if_room()

    def keep_back(self, delivery: Delivery) -> None:
        """Leave a message unacknowledged that could not be stored in any form; it is delivered again."""
        if delivery.generation != self._generation or self._client is None:
            return
        if self._kept_back == 0:
            asyncio.get_running_loop().call_later(self._settings.redeliver_after_s, self._redeliver.set)
        self._kept_back += 1
        self._kept_back_bytes += delivery.size_bytes
        if (
            self._kept_back * 2 >= self._settings.max_in_flight
            or self._kept_back_bytes * 2 >= self._settings.max_in_flight_bytes
        ):
            self._redeliver.set()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Hand a QoS 1 message to the connection; False where it cannot be taken now.

        Without properties, not even a content type: rumqttd's 3.1.1 listener dies of a message that
        carries any (it takes them for unreachable), and stations of that version wait for receipts too.
        """
        if self._client is None:
            return False
        result = self._client._client.publish(topic, payload, qos=1)
        return result.rc == 0

    async def _one_connection(self) -> None:
        async with self._new_client() as client, asyncio.TaskGroup() as tasks:
            self._begin(client)
            try:
                tasks.create_task(self._subscribe(client))
                tasks.create_task(self._until_redelivery(self._redeliver))
                await self._receive(client)
            finally:
                self._end()

    def _new_client(self) -> aiomqtt.Client:
        settings = self._settings
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = settings.session_expiry_s
        properties.ReceiveMaximum = min(settings.max_in_flight, 65_535)
        self._clean_start = self._unreadable_in_a_row >= _UNREADABLE_IN_A_ROW
        self._unreadable = False
        if self._clean_start:
            logger.error(
                "the broker delivers a message no client can read, again and again: beginning a new session"
            )
        client = aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password,
            identifier=settings.client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=self._clean_start,
            properties=properties,
            keepalive=settings.keepalive_s,
            tls_context=self._tls,
            max_queued_outgoing_messages=_MAX_QUEUED_RECEIPTS,
        )
        client.pending_calls_threshold = 10**6
        client._client.manual_ack_set(True)
        self._note_its_end(client)
        _write_only_while_open(client)
        return client

    def _note_its_end(self, client: aiomqtt.Client) -> None:
        """Note why the connection ends: aiomqtt forgets it where CONNACK and the end come in one read.

        An end may be told twice, the second time as a lost connection: what was said first stands.
        """

        def on_disconnect(paho: Any, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
            if reason.value == _PROTOCOL_ERROR and not flags.is_disconnect_packet_from_server:
                self._unreadable = True
            client._on_disconnect(paho, data, flags, reason, properties)
            if client._disconnected.done():
                client._disconnected.exception()  # seen: asyncio complains of one that is forgotten

        client._client.on_disconnect = on_disconnect

    def _begin(self, client: aiomqtt.Client) -> None:
        self._generation += 1
        self._client = client
        self._in_flight = self._in_flight_bytes = 0
        self._kept_back = self._kept_back_bytes = 0
        self._redeliver = asyncio.Event()
        if self._clean_start:
            self._unreadable_in_a_row = 0
        self._paused = None

    def _end(self) -> None:
        self._client = None
        while not self.inbox.empty():  # rule 2: unacknowledged, so all of it is delivered again
            self.inbox.get_nowait()

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        codes = await client.subscribe(self._filters, timeout=_SUBSCRIBE_WITHIN_S)
        for (topic_filter, _), code in zip(self._filters, codes, strict=True):
            if isinstance(code, ReasonCode) and code.is_failure:
                raise ServiceUnavailable(
                    f"the broker refuses the subscription to {topic_filter}: "
                    f"allow it to user {self._settings.username or 'anonymous'}"
                )
        self.connections += 1
        if self.connections == 1 and self._ready is not None:
            self._ready()

    async def _until_redelivery(self, wanted: asyncio.Event) -> None:
        await wanted.wait()
        raise ServiceUnavailable(f"{self._kept_back} messages could not be stored and are asked for again")

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _ask_for_a_rival(self) -> None:
        logger.error(
            "broker %s: connections end as soon as they stand; is another client connected as %s? "
            "Give each ingester its own name (ZHICHAO_BROKER_CLIENT_ID), or end one of them",
            self._where,
            self._settings.client_id,
        )

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            delivery = _delivery(message, self._generation)
            self._in_flight += 1
            self._in_flight_bytes += delivery.size_bytes
            self.inbox.put_nowait(delivery)
            if self._paused is None and self._full():
                self._pause(client)

    def _full(self, share: float = 1.0) -> bool:
        settings = self._settings
        return (
            self._in_flight >= settings.max_in_flight * share
            or self._in_flight_bytes >= settings.max_in_flight_bytes * share
        )

    def _pause(self, client: aiomqtt.Client) -> None:
        connection = client._client.socket()
        if connection is not None:
            self._paused = connection.fileno()
            asyncio.get_running_loop().remove_reader(self._paused)

    def _resume_if_room(self) -> None:
        if self._paused is None or self._client is None or self._full(share=0.5):
            return
        client, descriptor, self._paused = self._client, self._paused, None
        connection = client._client.socket()
        if connection is None or connection.fileno() != descriptor:
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, _read_available, client)
        loop.call_soon(_read_available, client)  # what TLS has already decrypted raises no event


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _write_only_while_open(client: aiomqtt.Client) -> None:
    """Have the event loop watch a socket to write to only if it is open by then.

    aiomqtt takes the socket's number at once and hands it to the loop for later, when a connection that
    ended meanwhile has given it back.
    """
    loop = asyncio.get_running_loop()

    def write() -> None:
        try:
            client._client.loop_write()
        except Exception as error:  # noqa: BLE001 - as in `_read_available`
            if not client._disconnected.done():
                client._disconnected.set_exception(error)

    def watch(connection: Any) -> None:
        if connection.fileno() >= 0:
            loop.add_writer(connection.fileno(), write)

    def on_register_write(paho: Any, data: Any, connection: Any) -> None:
        loop.call_soon_threadsafe(watch, connection)  # paho connects, and writes, in a thread

    client._client.on_socket_register_write = on_register_write


def _read_available(client: aiomqtt.Client) -> None:
    """Read as aiomqtt's own callback does, which was taken off the socket and cannot be put back."""
    connection: Any = client._client.socket()
    if connection is None:
        return
    try:
        client._client.loop_read()
        while getattr(client._client.socket(), "pending", int)() > 0:
            client._client.loop_read()
    except Exception as error:  # noqa: BLE001 - whatever broke the connection ends it; `run` logs and reconnects
        if not client._disconnected.done():
            client._disconnected.set_exception(error)


def _delivery(message: aiomqtt.Message, generation: int) -> Delivery:
    properties = message.properties
    wire = Wire(
        topic=str(message.topic),
        payload=bytes(message.payload),
        content_type=getattr(properties, "ContentType", None),
        properties=tuple(getattr(properties, "UserProperty", ())),
        received_at=datetime.now(UTC),
    )
    return Delivery(generation=generation, packet_id=message.mid, qos=message.qos, wire=wire)


def _tls_context(tls: TlsSettings | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.certificate_file is not None:
            context.load_cert_chain(tls.certificate_file, tls.key_file)
    except OSError as error:
        raise ConfigurationError(f"TLS to the broker: {error}; check the certificate and key files") from None
    return context
