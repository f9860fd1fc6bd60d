"""From settings to the broker: credentials from a file, TLS only where asked for, names that do not clash."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from service.embedded.broker import configuration
from service.ingest_process import broker_settings
from service.settings import BrokerKind, Settings


def test_credentials_come_from_the_first_line_of_their_file(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("ingester:pass:word\nignored\n")
    made = broker_settings(Settings(broker_credentials_file=path))
    assert (made.username, made.password, made.tls) == ("ingester", "pass:word", None)


@pytest.mark.parametrize("content", [None, "no-colon\n"])
def test_unusable_credentials_are_an_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "credentials"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="credentials"):
        broker_settings(Settings(broker_credentials_file=path))


def test_a_ca_file_turns_tls_on() -> None:
    made = broker_settings(Settings(broker_ca_file=Path("ca.pem")))
    assert made.tls is not None
    assert made.tls.ca_file == Path("ca.pem")


def test_sharing_ingesters_have_names_of_their_own_on_one_host_too() -> None:
    shared = {"broker_kind": BrokerKind.MOSQUITTO, "broker_share_group": "g"}
    for settings in (Settings(**shared), Settings(broker_client_id="ingest", **shared)):  # type: ignore[arg-type]
        names = [broker_settings(settings, slot=slot).client_id for slot in range(3)]
        assert len(set(names)) == 3
        assert names == [broker_settings(settings, slot=slot).client_id for slot in range(3)]


def test_a_lone_ingester_keeps_its_name() -> None:
    assert broker_settings(Settings()).client_id == "zhichao-ingest"
    assert broker_settings(Settings(broker_client_id="ingest-2")).client_id == "ingest-2"


def test_the_embedded_broker_cannot_be_shared() -> None:
    with pytest.raises(ConfigurationError, match="ZHICHAO_BROKER_SHARE_GROUP"):
        broker_settings(Settings(broker_share_group="g"))


def test_the_embedded_broker_listens_on_loopback_and_takes_more_than_ingest_accepts() -> None:
    settings = Settings(broker_port=11_883, broker_port_311=11_884)
    text = configuration(settings)
    listens = [line for line in text.splitlines() if line.startswith("listen")]
    assert listens == ['listen = "127.0.0.1:11884"', 'listen = "127.0.0.1:11883"']
    caps = [int(line.split("=")[1]) for line in text.splitlines() if "max_payload_size" in line]
    assert min(caps) > settings.max_payload_bytes
