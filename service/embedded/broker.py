"""The embedded MQTT broker (rumqttd, in the `iotcore` wheel) as a supervised process.

It listens on 127.0.0.1 only, MQTT 5 and 3.1.1 on different ports, and keeps nothing on disk: that no
message is lost rests on the stations' spools and our receipts, not on it. Its keyword arguments
would give a 3.1.1 listener on all addresses, and its default payload cap is 20 KB; hence the file.
"""

import logging
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from iotcore.iotcore import IotCoreBroker

from service.lifeline import announce, configure_logging, when_supervisor_ends
from service.settings import Settings, load_settings

MAX_INFLIGHT = 500
"""The bound on unacknowledged messages: this broker ignores the client's Receive Maximum."""

_LISTENER = """
[v{version}.1]
name = "v{version}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
    [v{version}.1.connections]
    connection_timeout_ms = 60000
    max_payload_size = {max_payload_bytes}
    max_inflight_count = {max_inflight}
    dynamic_filters = true
"""

_ROUTER = """id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""

log = logging.getLogger(__name__)


def configuration(settings: Settings) -> str:
    """Return the broker's own TOML: one listener for MQTT 5, one for 3.1.1."""
    # Well above what ingest accepts: a station's too large message must arrive to be refused with a reason,
    # where the broker would only drop the connection, again and again.
    packet_bytes = settings.max_payload_bytes * 5 // 4
    listeners = [
        _LISTENER.format(
            version=version, port=port, max_payload_bytes=packet_bytes, max_inflight=MAX_INFLIGHT
        )
        for version, port in ((4, settings.broker_port_311), (5, settings.broker_port))
    ]
    return _ROUTER + "".join(listeners)


def main() -> int:
    """Run the broker until the supervisor ends it."""
    settings = load_settings()
    configure_logging(settings.log_level)
    # rumqttd opens an error span for every packet it routes; only its panics are of interest.
    for name in ("rumqttd", "tracing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        _start(settings)
    except OSError as error:
        log.critical("the broker cannot listen (%s); is another program on its port?", error)
        return 1
    _wait_for_listeners((settings.broker_port, settings.broker_port_311))
    announce(port=settings.broker_port, port_311=settings.broker_port_311)
    ended = threading.Event()
    when_supervisor_ends(ended.set)
    ended.wait()
    return 0


def _start(settings: Settings) -> None:
    with tempfile.TemporaryDirectory(prefix="zhichao-broker-") as folder:
        path = Path(folder) / "broker.toml"
        path.write_text(configuration(settings), encoding="utf-8")
        broker = IotCoreBroker(config_path=str(path))
        broker.check_ports()
        broker.start()


def _wait_for_listeners(ports: tuple[int, ...]) -> None:
    for port in ports:
        while not _answers(port):
            time.sleep(0.02)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
