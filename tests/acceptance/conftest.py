"""One whole system for all acceptance tests: real processes on loopback, demo accounts, nothing loaded."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation, accounts_for
from tests.integration.service.running import running_system

SCENARIOS = ("photos-test", "faults", "ten-percent", "three-stations")


@pytest.fixture(scope="package")
def installation_folder() -> Iterator[Path]:
    """Where the installation keeps everything; under root its database is another user, who must get in."""
    folder = Path(tempfile.mkdtemp(prefix="zhichao-acceptance-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
async def installation(installation_folder: Path) -> AsyncIterator[Installation]:
    """Database, broker, ingest, work and web, ended after the last acceptance test."""
    async with running_system(installation_folder) as system:
        for scenario in SCENARIOS:
            await system.load_scenario(scenario)
        yield Installation(system, await accounts_for(system))
