"""The registry: loaded as a whole, looked up as of the passage's own day."""

from datetime import UTC, date, datetime

import pytest

from domain.errors import ConfigurationError
from domain.ids import DeviceId, StationId
from domain.registry import StationContext
from store.connection import Connection
from store.registry import (
    contexts_at,
    device_keys,
    known_devices,
    load_registry,
    local_day,
    parse_registry,
)
from tests.integration.store.messages import CONTEXT, REGISTRY, SCALE, STATION, T0, with_registry

pytestmark = pytest.mark.anyio


def at(year: int, month: int, day: int, hour_utc: int = 4) -> datetime:
    return datetime(year, month, day, hour_utc, tzinfo=UTC)


async def context(conn: Connection, moment: datetime, device: str = SCALE) -> StationContext | None:
    (found,) = await contexts_at(conn, [(STATION, DeviceId(device), moment)])
    return found


async def test_a_context_holds_all_that_was_in_force(connection: Connection) -> None:
    await with_registry(connection)
    assert await context(connection, T0) == CONTEXT


@pytest.mark.parametrize(
    ("moment", "missing"),
    [
        (at(2026, 2, 28), ("no-certificate", "no-announcement")),
        (at(2026, 3, 1), ("no-announcement",)),  # the certificate's first day
        (at(2026, 3, 9), ("no-announcement",)),
        (at(2026, 3, 10), ()),  # the announcement's first day
        (at(2027, 2, 28), ()),  # the certificate's last day
        (at(2027, 3, 1), ("no-certificate",)),
    ],
)
async def test_what_holds_on_the_edge_days(
    connection: Connection, moment: datetime, missing: tuple[str, ...]
) -> None:
    await with_registry(connection)
    found = await context(connection, moment)
    assert found is not None
    assert found.missing == missing


async def test_the_day_is_the_local_one(connection: Connection) -> None:
    """16:00 UTC is midnight in China: the certificate's last day ends there, not at midnight UTC."""
    await with_registry(connection)
    assert local_day(at(2027, 2, 28, 15)) == date(2027, 2, 28)
    last = await context(connection, datetime(2027, 2, 28, 15, 59, 59, tzinfo=UTC))
    after = await context(connection, at(2027, 2, 28, 16))
    assert last is not None
    assert after is not None
    assert (last.missing, after.missing) == ((), ("no-certificate",))


async def test_a_new_law_takes_over_on_its_day(connection: Connection) -> None:
    await with_registry(connection)
    before, after = await contexts_at(
        connection, [(STATION, SCALE, at(2026, 6, 30)), (STATION, SCALE, at(2026, 7, 1))]
    )
    assert before is not None
    assert before.legal_basis is not None
    assert before.legal_basis.liable_party == "owner"
    assert after is not None
    assert after.legal_basis is not None
    assert after.legal_basis.liable_party == "driver"


LOWERED = REGISTRY.replace(
    "lanes = 3\nvalid_from = 2026-01-01", "lanes = 3\nvalid_from = 2026-01-01\nvalid_to = 2026-11-19"
)
LOWERED += """
[[sites]]
site_id = "G105-K1"
name = "测试点"
road = "G105"
stake = "K1+200"
direction = "up"
lanes = 2
gross_limit_kg = 20000
valid_from = 2026-11-20
valid_to = 2026-12-31
"""
"""The bridge's limit is lowered on 20 November, until the end of the year."""


async def test_a_lowered_limit_holds_for_its_own_days_only(connection: Connection) -> None:
    """A passage of the 10th that comes from a spool after the load meets the bridge of the 10th."""
    await with_registry(connection)
    await load_registry(connection, parse_registry(LOWERED))
    days = [
        at(2026, 11, 10),
        datetime(2026, 11, 19, 15, 59, 59, tzinfo=UTC),
        at(2026, 11, 19, 16),  # 20 November in China
        at(2026, 12, 31),
    ]
    found = await contexts_at(connection, [(STATION, SCALE, day) for day in days])
    limits = [None if one is None else (one.site.gross_limit_kg, one.site.lanes) for one in found]
    assert limits == [(None, 3), (None, 3), (20_000, 2), (20_000, 2)]


async def test_a_day_without_an_entry_of_the_site_has_no_context(connection: Connection) -> None:
    await load_registry(
        connection, parse_registry(LOWERED.replace("valid_from = 2026-11-20", "valid_from = 2026-11-22"))
    )
    assert await context(connection, at(2026, 11, 19)) is not None
    assert await context(connection, at(2026, 11, 20)) is None
    assert await context(connection, at(2026, 11, 21)) is None
    assert await context(connection, at(2026, 11, 22)) is not None
    assert await context(connection, at(2027, 1, 1)) is None


async def test_two_accounts_of_a_site_on_one_day_are_refused(connection: Connection) -> None:
    both = parse_registry(LOWERED.replace("valid_to = 2026-11-19", "valid_to = 2026-11-20"))
    with pytest.raises(ConfigurationError, match="give the earlier one a valid_to before 2026-11-20"):
        await load_registry(connection, both)


async def test_a_station_does_not_move(connection: Connection) -> None:
    await with_registry(connection)
    moved = parse_registry(REGISTRY.replace("G105-K1", "G105-K2"))
    with pytest.raises(ConfigurationError, match="give it a new station_id"):
        await load_registry(connection, moved)


async def test_strangers_and_removed_devices_have_no_context(connection: Connection) -> None:
    await with_registry(connection)
    wanted = [
        (STATION, DeviceId("cam-front"), at(2026, 12, 31)),
        (STATION, DeviceId("cam-front"), at(2027, 1, 1)),
        (STATION, DeviceId("nobody"), T0),
        (StationId("S9"), SCALE, T0),
        (STATION, SCALE, T0),
    ]
    found = await contexts_at(connection, wanted)
    assert [one is not None for one in found] == [True, False, False, False, True]
    assert await contexts_at(connection, []) == []


async def test_loading_again_changes_facts_and_deletes_none(connection: Connection) -> None:
    await with_registry(connection)
    await load_registry(connection, parse_registry(REGISTRY))
    closed = REGISTRY.replace("valid_from = 2026-07-01", "valid_from = 2026-07-01\nvalid_to = 2026-12-31")
    await load_registry(connection, parse_registry(closed))
    await load_registry(connection, parse_registry(""))
    found = await context(connection, at(2027, 1, 1))
    assert found is not None
    assert found.missing == ("no-legal-basis",)
    devices = await known_devices(connection)
    assert {device: known.kind for (_, device), known in devices.items()} == {
        "wim-1": "wim",
        "cam-front": "camera",
    }


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("lanes = 3", "lanes = 0"), r"sites\.0\.lanes"),
        (('kind = "wim"', 'kind = "magic"'), r"devices\.0\.kind"),
        (("valid_to = 2027-02-28", "valid_to = 2026-02-28"), "lies before valid_from"),
        (('road = "G105"', 'road = "G105"\nroadd = "G105"'), r"sites\.0\.roadd"),
        (("lanes = 3", 'lanes = 3\ncompleteness_profile = "best"'), "unknown completeness profile"),
        (("lanes = 3", 'lanes = 3\ncompleteness_profile = "plates-test"'), "is for tests only"),
        (('direction = "up"', 'direction = "unknown"'), "cannot tell the direction"),
        (("lanes = 3", "lanes = "), "not TOML"),
        (('kind = "wim"', 'kind = "wim"\nsignature = "always"'), r"devices\.0\.signature"),
        (('kind = "wim"', 'kind = "wim"\ndecoder = "gateway-json"\nsignature = "required"'), "no signature"),
    ],
)
def test_a_wrong_entry_is_named(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse_registry(REGISTRY.replace(*change))


async def test_an_entry_that_refers_to_nothing_is_refused(connection: Connection) -> None:
    dangling = parse_registry('[[stations]]\nstation_id = "S2"\nsite_id = "nowhere"')
    with pytest.raises(ConfigurationError, match="nowhere"):
        await load_registry(connection, dangling)


KEY = """
[[device_keys]]
station_id = "S1"
device_id = "wim-1"
key_id = "k1"
public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
valid_from = 2026-01-01T00:00:00+08:00
"""


async def test_a_devices_keys_are_found(connection: Connection) -> None:
    await with_registry(connection)
    await load_registry(connection, parse_registry(KEY + "revoked_at = 2026-12-01T00:00:00Z"))
    found = await device_keys(connection, [(STATION, SCALE), (STATION, DeviceId("cam-front"))])
    ((name, (key,)),) = found.items()
    assert name == (STATION, SCALE)
    assert (key.key_id, key.public_key.hex()[:8]) == ("k1", "d75a9801")
    assert (key.valid_from, key.valid_to) == (at(2025, 12, 31, 16), None)
    assert key.revoked_at == at(2026, 12, 1, 0)
    assert await device_keys(connection, []) == {}


async def test_a_key_id_stands_for_one_key_for_good(connection: Connection) -> None:
    await with_registry(connection)
    await load_registry(connection, parse_registry(KEY))
    await load_registry(connection, parse_registry(KEY))
    other = KEY.replace("11qYAYKx", "22qYAYKx")
    with pytest.raises(ConfigurationError, match="another key is registered as k1"):
        await load_registry(connection, parse_registry(other))


@pytest.mark.parametrize("change", [("wim-1", "cam-front"), ('"k1"', '"k2"')], ids=["device", "key_id"])
async def test_one_key_is_not_registered_twice(connection: Connection, change: tuple[str, str]) -> None:
    """A thief of a key that was revoked in one place would go on signing in the other."""
    await with_registry(connection)
    with pytest.raises(ConfigurationError, match="is registered already as S1 wim-1 k1"):
        await load_registry(connection, parse_registry(KEY + KEY.replace(*change)))


@pytest.mark.parametrize("later", ["", "revoked_at = 2026-12-01T00:00:01Z"], ids=["pardoned", "put off"])
async def test_an_older_file_does_not_take_a_revocation_back(connection: Connection, later: str) -> None:
    await with_registry(connection)
    await load_registry(connection, parse_registry(KEY + "revoked_at = 2026-12-01T00:00:00Z"))
    with pytest.raises(ConfigurationError, match="is revoked since 2026-12-01"):
        await load_registry(connection, parse_registry(KEY + later))
    await load_registry(connection, parse_registry(KEY + "revoked_at = 2026-11-30T00:00:00Z"))


def test_a_moment_for_unsigned_messages_needs_a_device_that_signs() -> None:
    kind = 'kind = "wim"\nunsigned_until = 2026-12-01T00:00:00Z\nsignature = "required"'
    with pytest.raises(ConfigurationError, match="unsigned_until has no meaning"):
        parse_registry(REGISTRY.replace('kind = "wim"', kind))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("11qYAYKx", ""), r"device_keys\.0\.public_key"),
        (('"k1"', '"k 1"'), r"device_keys\.0\.key_id"),
        (("valid_from = 2026-01-01T00:00:00+08:00", "valid_from = 2026-01-01T00:00:00"), r"valid_from"),
        (("+08:00", "+08:00\nvalid_to = 2026-01-01T00:00:00+08:00"), "is not after valid_from"),
    ],
)
def test_a_wrong_key_is_named(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse_registry(KEY.replace(*change))


def test_a_gateway_cannot_have_a_key() -> None:
    """Its frames have no place for a signature: all of them would lie in quarantine."""
    gateway = REGISTRY.replace('kind = "wim"', 'kind = "gateway"\ndecoder = "gateway-json"')
    with pytest.raises(ConfigurationError, match="carry no signature"):
        parse_registry(gateway + KEY)
