"""The adapter to aiomqtt, where no broker is needed to show it."""

import asyncio
import socket

import pytest

from ingest.mqtt import BrokerLink, BrokerSettings

pytestmark = pytest.mark.anyio


def _link() -> BrokerLink:
    return BrokerLink(BrokerSettings("127.0.0.1", 1), ["x"])


async def test_a_socket_closed_meanwhile_is_not_watched_under_a_number_that_is_anothers() -> None:
    """Else the database's connection, opened in between, would be robbed of its own watch."""
    client = _link()._new_client()
    register = client._client.on_socket_register_write
    assert register is not None
    ours, peer = socket.socketpair()
    number = ours.fileno()
    register(client._client, None, ours)
    ours.close()
    database, server = socket.socketpair()
    assert database.fileno() == number, "the system gives out the lowest number again"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not asyncio.get_running_loop().remove_writer(number)
    for one in (peer, database, server):
        one.close()


async def test_an_open_socket_is_watched_and_written_to() -> None:
    client = _link()._new_client()
    register = client._client.on_socket_register_write
    assert register is not None
    ours, peer = socket.socketpair()
    register(client._client, None, ours)
    await asyncio.sleep(0)
    assert asyncio.get_running_loop().remove_writer(ours.fileno())
    for one in (ours, peer):
        one.close()
