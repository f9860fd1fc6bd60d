"""The broker fixtures hold what they promise: a message really passes, and the access list really bites."""

import socket
import ssl
import threading
from collections.abc import Callable

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.fixtures.brokers import PASSWORDS, RunningBroker

WAIT_S = 20.0


def _client(
    broker: RunningBroker, user: str | None = None, protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5
) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    if user is not None:
        client.username_pw_set(user, PASSWORDS[user])
    if broker.ca_file is not None:
        client.tls_set_context(ssl.create_default_context(cafile=str(broker.ca_file)))
    port = broker.port_311 if protocol == MQTTProtocolVersion.MQTTv311 else broker.port
    client.connect(broker.host, port)
    client.loop_start()
    return client


def _receive(client: mqtt.Client, topic: str, act: Callable[[], None]) -> list[str]:
    """Subscribe, act, and return the topics received up to and with the end marker `act` publishes."""
    got: list[str] = []
    ready, ended = threading.Event(), threading.Event()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        got.append(message.topic)
        if message.payload == b"end":
            ended.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: ready.set()
    client.subscribe(topic, qos=1)
    assert ready.wait(WAIT_S)
    act()
    assert ended.wait(WAIT_S)
    return got


def test_a_message_passes(broker: RunningBroker) -> None:
    subscriber, publisher = _client(broker), _client(broker, protocol=MQTTProtocolVersion.MQTTv311)
    try:
        got = _receive(subscriber, "t/#", lambda: _publish(publisher, ("t/1", b"end")))
    finally:
        subscriber.disconnect()
        publisher.disconnect()
        subscriber.loop_stop()
        publisher.loop_stop()
    assert got == ["t/1"]


def test_the_access_list_keeps_a_station_to_its_own_topics(mosquitto_tls: RunningBroker) -> None:
    ingester, station = _client(mosquitto_tls, "ingester"), _client(mosquitto_tls, "S1")
    sent = [
        ("zhichao/v1/S2/wim/weigh", b"forged"),
        ("zhichao/v1/S1/wim/receipt", b"forged"),
        ("zhichao/v1/S1/wim/weigh", b"end"),
    ]
    try:
        got = _receive(ingester, "zhichao/v1/#", lambda: _publish(station, *sent))
    finally:
        for client in (ingester, station):
            client.disconnect()
            client.loop_stop()
    assert got == ["zhichao/v1/S1/wim/weigh"]


def test_a_client_that_does_not_trust_the_authority_turns_away(mosquitto_tls: RunningBroker) -> None:
    strangers = ssl.create_default_context()
    address = (mosquitto_tls.host, mosquitto_tls.port)
    with socket.create_connection(address, timeout=WAIT_S) as raw, pytest.raises(ssl.SSLError):
        strangers.wrap_socket(raw, server_hostname=mosquitto_tls.host)


def _publish(client: mqtt.Client, *messages: tuple[str, bytes]) -> None:
    for topic, payload in messages:
        client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)
