"""Packages of simulated passages, made as the real ones are: both verifiers hold every layer of them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evidence import PackageContents, as_text
from service.settings import Settings
from simulators import passages
from simulators.scenario import load_scenario
from store.blobs import BlobStore
from tests.components import require
from tests.fixtures.evidence import WITH_SM3, Deployment
from tests.fixtures.packages import Traffic, small_picture
from tests.fixtures.second_opinion import disagreement, failing, opinion, trust_of
from tests.unit.ingest.samples import mp4


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every camera take the same small picture: nothing here follows from what it shows."""
    monkeypatch.setattr(passages, "photograph", lambda _vehicle, _role: small_picture())


def contents_of(scenario: str, folder: Path) -> Iterator[PackageContents]:
    """Yield the contents of packages, with a clip in each, the first of every station of a scenario."""
    loaded = load_scenario(scenario)
    for entry in loaded.stations:
        yield next(Traffic(loaded, entry, Settings(), BlobStore(folder / "blobs"), clip=mp4()).contents())


@pytest.mark.parametrize("scenario", ["three-stations", "waveforms"])
def test_a_package_as_the_platform_makes_it_holds_in_every_layer_of_both(
    deployment: Deployment, tmp_path: Path, scenario: str
) -> None:
    require("openssl")
    for contents in contents_of(scenario, tmp_path):
        captured_at = datetime.fromisoformat(contents.event["captured_at"])
        deployment.now = captured_at + timedelta(seconds=40)
        package = deployment.seal(contents)
        report = deployment.verify(package, policy=WITH_SM3)
        said = opinion(package, trust_of(deployment), sm3=True)
        assert report.ok, as_text(report)
        assert not failing(said), said
        assert (package / "data/derived/composite.jpg").exists()
        (package / "data/derived/composite.jpg").write_bytes(b"another picture")
        said = opinion(package, trust_of(deployment), sm3=True)
        assert failing(said) >= {"manifest", "manifest-sm3"}
        assert not disagreement(deployment.verify(package, policy=WITH_SM3), said)
