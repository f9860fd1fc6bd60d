"""A log whose key must change is ended and another begun: one trust file serves both."""

from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from evidence import Trust, trust_bytes, trust_file, verify_package
from service.key_changes import adopt, list_keys, trust_text
from service.keys import ensure_keys
from service.settings import Settings
from tests.fixtures.evidence import Deployment, contents

ENDED = timedelta(hours=1)
"""How long after its first package the old log was stopped."""


@pytest.fixture
def old(tmp_path: Path) -> Deployment:
    """The installation whose log is ended."""
    return Deployment(tmp_path / "old", name="old.example")


@pytest.fixture
def new(tmp_path: Path) -> Deployment:
    """The installation that begins a log of its own."""
    return Deployment(tmp_path / "new", name="new.example")


@pytest.fixture
def settings(old: Deployment, new: Deployment) -> Settings:
    """The new installation's settings, once it has adopted the old one's keys."""
    made = Settings(data=new.folder)
    ensure_keys(made)
    adopt(made, trust_bytes(trust_file(old.keys)), ended_at=old.now + ENDED)
    made.trust_path.write_text(trust_text(made))
    return made


def test_packages_of_the_ended_and_the_new_log_verify_with_one_trust_file(
    old: Deployment, new: Deployment, settings: Settings
) -> None:
    both = Trust.load(settings.trust_path)
    assert [log.name for log in both.logs] == ["new.example/log", "old.example/log"]
    assert verify_package(old.seal(contents(1)), both).ok
    new.now += timedelta(days=9)
    assert verify_package(new.seal(contents(2, captured_at=new.now - timedelta(minutes=1))), both).ok


def test_a_new_log_has_the_name_that_was_set(tmp_path: Path) -> None:
    assert ensure_keys(Settings(data=tmp_path, key_name="third.example")).log.name == "third.example/log"


def test_an_ended_log_that_goes_on_is_not_believed(old: Deployment, settings: Settings) -> None:
    trust = Trust.load(settings.trust_path)
    before = old.seal(contents(1))
    old.now += 2 * ENDED
    after = old.seal(contents(2, captured_at=old.now - timedelta(minutes=1)))
    assert verify_package(before, trust).ok
    assert verify_package(after, trust).broken == ("keys",)


def test_an_adopted_key_keeps_the_end_it_had_and_none_of_our_own_is_ended(
    old: Deployment, settings: Settings
) -> None:
    published = settings.trust_path.read_bytes()
    assert adopt(settings, published, ended_at=old.now) == []
    assert trust_text(settings).encode() == published
    assert [key.life.end is None for key in list_keys(settings)] == [
        key.in_use for key in list_keys(settings)
    ]
    with pytest.raises(ConfigurationError):
        adopt(settings, b"{}", ended_at=old.now)


def test_the_root_of_the_authority_before_stays_in_the_trust_file(old: Deployment, new: Deployment) -> None:
    """Another authority is set: without its root, all that the one before stamped would fail."""
    package, made = old.seal(contents(1)), Settings(data=old.folder)
    ensure_keys(made)
    changed = Settings(data=old.folder, tsa_certificate_file=new.keys.folder / "tsa-root.crt")
    assert not verify_package(package, Trust.parse(trust_text(changed).encode())).ok
    adopt(changed, made.trust_path.read_bytes(), ended_at=old.now + ENDED)
    trust = Trust.parse(trust_text(changed).encode())
    assert trust.tsa_roots == (new.keys.tsa_root, old.keys.tsa_root)
    assert verify_package(package, trust).ok
    old.now += 2 * ENDED
    late = old.seal(contents(2, captured_at=old.now - timedelta(minutes=1)))
    assert verify_package(late, trust).broken == ("keys",)
