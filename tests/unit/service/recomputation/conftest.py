"""Simulated cameras that cost nothing."""

import pytest

from simulators import passages
from tests.fixtures.packages import small_picture


@pytest.fixture(autouse=True)
def quick_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every camera take the same small picture; each still has its own comment."""
    monkeypatch.setattr(passages, "photograph", lambda _vehicle, _role: small_picture())
