"""Fixtures shared by all tests, one file a concern under tests/fixtures."""

import pytest

pytest_plugins = [
    "tests.fixtures.evidence",  # before those that import it, so that its asserts are rewritten
    "tests.fixtures.second_opinion",
    "tests.fixtures.postgres",
    "tests.fixtures.brokers",
    "tests.fixtures.browser",
    "tests.fixtures.bench",
    "tests.fixtures.tokens",
    "tests.fixtures.life",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asyncio, as in production."""
    return "asyncio"
