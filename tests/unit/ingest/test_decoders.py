"""The decoders' registry: one module a vendor, chosen by topic, and no vendor's fault stops the others."""

import importlib
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import ingest.decoders
from domain.errors import ConfigurationError
from domain.events import Decoded, Wire
from domain.refusals import RefusalCode
from ingest import Accepted, Claims, Decoders, Refused, choose, load_decoders
from tests.unit.ingest.samples import NOW, header, weigh, weigh_body, weigh_frame, wire


class Broken:
    """A vendor's decoder with a fault."""

    name = "broken"
    topic_filters = ("vendor/+/x",)
    receipts = False
    pairing_window = timedelta(seconds=10)

    def claims(self, wire: Wire) -> Claims:
        """Return nothing."""
        return Claims()

    def body_offset(self, wire: Wire) -> int:
        """Return 0."""
        return 0

    def decode(self, wire: Wire, *, now: datetime) -> tuple[Decoded, ...]:
        """Fail as no decoder should."""
        raise KeyError(wire.topic)


def test_each_topic_finds_its_decoder() -> None:
    decoders = choose(None)
    for message in (weigh(), wire("gateway/v1/G1/gw-1/frame", weigh_frame())):
        (arrival,) = decoders.arrivals(message, now=NOW)
        assert isinstance(arrival, Accepted)
    assert decoders.topic_filters == (
        "gateway/v1/+/+/frame",
        "zhichao/v1/+/+/weigh",
        "zhichao/v1/+/+/waveform",
        "zhichao/v1/+/+/capture",
        "zhichao/v1/+/+/status",
    )


def test_a_topic_nobody_reads_is_kept_as_refused() -> None:
    message = wire("elsewhere/x", weigh_body(), header())
    (arrival,) = choose(None).arrivals(message, now=NOW)
    assert isinstance(arrival, Refused)
    assert (arrival.code, arrival.wire, arrival.claims) == (RefusalCode.UNKNOWN_TOPIC, message, Claims())


def test_a_decoder_with_a_fault_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    decoders = Decoders([Broken(), *load_decoders().values()])
    (arrival,) = decoders.arrivals(wire("vendor/a/x", b"?"), now=NOW)
    assert isinstance(arrival, Refused)
    assert arrival.code is RefusalCode.STORAGE_FAILED
    assert "decoder broken failed" in caplog.text
    assert isinstance(decoders.arrivals(weigh(), now=NOW)[0], Accepted)


def test_two_decoders_of_one_topic_are_refused() -> None:
    class Other(Broken):
        name = "other"

    with pytest.raises(ConfigurationError, match="both read vendor/"):
        Decoders([Broken(), Other()])


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="choose from: gateway-json, native"):
        choose(["acme"])


@pytest.fixture
def vendor_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One more folder of decoder modules, forgotten afterwards."""
    monkeypatch.setattr(ingest.decoders, "__path__", [*ingest.decoders.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    return tmp_path


def test_a_vendor_plugs_in_with_one_module(vendor_folder: Path) -> None:
    (vendor_folder / "acme.py").write_text(
        "from tests.unit.ingest.test_decoders import Broken\n\n\n"
        "def make_decoder(limits):\n    return Broken()\n"
    )
    try:
        assert sorted(load_decoders()) == ["broken", "gateway-json", "native"]
    finally:
        sys.modules.pop("ingest.decoders.acme", None)


def test_a_module_without_make_decoder_is_named(vendor_folder: Path) -> None:
    (vendor_folder / "empty.py").write_text("")
    try:
        with pytest.raises(ConfigurationError, match="empty has no make_decoder"):
            load_decoders()
    finally:
        sys.modules.pop("ingest.decoders.empty", None)
