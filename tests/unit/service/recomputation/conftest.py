"""Pictures that cost nothing: no figure follows from what they show."""

import pytest

from service.steps import contents
from simulators import passages
from tests.fixtures.packages import small_picture


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every camera take the same small picture, each with its own comment, and draw no views of them."""
    monkeypatch.setattr(passages, "photograph", lambda _vehicle, _role: small_picture())
    monkeypatch.setattr(contents, "views_of", lambda *_originals: ())
