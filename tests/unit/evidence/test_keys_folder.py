"""A key's change in the keys folder: at every step there is a key, and what was begun is ended the same."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, ConflictingChange
from evidence import KeySet, Trust, create_keys, load_keys, trust_bytes, trust_file
from evidence.key_life import KeyLife
from evidence.keys_folder import (
    BoundedKey,
    bounded_keys,
    changing,
    follower,
    is_cut_off,
    put_into_use,
    write_down,
)
from evidence.signing import key_id
from evidence.trust import keys_by_id, service_entry

ENDS = KeyLife(valid_to=datetime(2026, 4, 1, tzinfo=UTC))
REVOKED = ENDS._replace(revoked_at=datetime(2026, 3, 25, tzinfo=UTC))


@pytest.fixture
def keys(tmp_path: Path) -> KeySet:
    """Keys in a folder of their own."""
    return create_keys(tmp_path / "keys", name="example.org")


def test_the_follower_stays_the_same_until_it_is_put_into_use(keys: KeySet) -> None:
    new = follower(keys.folder, keys.service, "service")
    assert new.public_key == follower(keys.folder, keys.service, "service").public_key
    assert new.public_key != keys.service.public_key
    assert (new.name, is_cut_off(keys.folder)) == ("example.org/service", ["service"])
    assert load_keys(keys.folder).service.public_key == keys.service.public_key
    put_into_use(keys.folder, keys.service, "service")
    assert load_keys(keys.folder).service.public_key == new.public_key
    assert is_cut_off(keys.folder) == []
    assert follower(keys.folder, new, "service").public_key != new.public_key


def test_the_former_key_is_kept_and_as_private_as_before(keys: KeySet) -> None:
    before = (keys.folder / "service.pem").read_bytes()
    follower(keys.folder, keys.service, "service")
    put_into_use(keys.folder, keys.service, "service")
    former = keys.folder / "former" / f"service-{key_id(keys.service.public_key)[:16]}.pem"
    assert former.read_bytes() == before
    for path in (former, keys.folder / "service.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_kill_while_the_old_key_was_kept(keys: KeySet) -> None:
    new = follower(keys.folder, keys.service, "service")
    (keys.folder / "former").mkdir()
    kept = keys.folder / "former" / f"service-{key_id(keys.service.public_key)[:16]}.pem"
    kept.hardlink_to(keys.folder / "service.pem")
    put_into_use(keys.folder, keys.service, "service")
    assert load_keys(keys.folder).service.public_key == new.public_key


def test_a_kill_while_the_follower_was_made(keys: KeySet) -> None:
    (keys.folder / "next").mkdir(mode=0o700)
    (keys.folder / "next" / ".service.pem.new").write_bytes(b"-----BEGIN")
    assert is_cut_off(keys.folder) == []
    follower(keys.folder, keys.service, "service")
    assert is_cut_off(keys.folder) == ["service"]


def test_two_commands_do_not_change_keys_at_once(keys: KeySet, tmp_path: Path) -> None:
    with changing(keys.folder), pytest.raises(ConflictingChange), changing(keys.folder):
        pass
    with changing(keys.folder):
        pass
    with pytest.raises(ConfigurationError), changing(tmp_path / "none"):
        pass


def test_a_logs_key_has_no_follower(keys: KeySet) -> None:
    with pytest.raises(ConfigurationError, match="for life"):
        follower(keys.folder, keys.log, "log")


def test_what_was_written_down_of_a_key_is_replaced_by_what_came_later(keys: KeySet) -> None:
    entry, other = service_entry(keys.service), service_entry(keys.log)
    for key in (BoundedKey("service", entry, ENDS), BoundedKey("service", other, KeyLife())):
        write_down(keys.folder, key)
    write_down(keys.folder, BoundedKey("service", entry, REVOKED))
    assert bounded_keys(keys.folder) == [
        BoundedKey("service", other, KeyLife()),
        BoundedKey("service", entry, REVOKED),
    ]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format":"zhichao-bounded-keys/1","keys":[1]}'])
def test_a_damaged_list_of_former_keys_is_refused_lest_a_revocation_be_lost(
    keys: KeySet, content: bytes
) -> None:
    (keys.folder / "bounded.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="backup"):
        bounded_keys(keys.folder)


def test_the_trust_file_names_each_key_once_with_its_life(keys: KeySet, tmp_path: Path) -> None:
    other = create_keys(tmp_path / "other", name="example.org")
    log_entry = trust_file(keys)["logs"][0]
    document = trust_file(
        other,
        bounded=[
            BoundedKey("service", service_entry(keys.service), REVOKED),
            BoundedKey("service", service_entry(other.service), ENDS),
            BoundedKey("log", log_entry, ENDS),
        ],
    )
    trust = Trust.parse(trust_bytes(document))
    lives = {
        key_id(keys.service.public_key): REVOKED,
        key_id(other.service.public_key): ENDS,
        key_id(keys.log.public_key): ENDS,
    }
    assert dict(trust.lives) == lives
    assert len(trust.services) == 2
    assert keys_by_id(document)[key_id(keys.log.public_key)] == ("log", log_entry)
    assert keys_by_id(document)[key_id(keys.service.public_key)] == ("service", service_entry(keys.service))
