"""doctor: every misconfiguration seeded here is found, named, and told what to do about."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from evidence import LocalTestAuthority, Trust, load_keys
from evidence.head_stamps import stamp_heads
from evidence.witness_keys import create_witness_key, published_witness_key
from service.checks import installation
from service.checks.authority import check_authority
from service.checks.finding import Finding
from service.checks.running import check_broker
from service.checks.witness import ask_witness
from service.keys import ensure_keys, expected_trust
from service.settings import PREFIX, BrokerKind, Settings
from service.wiring import log_of
from service.witness_process import WitnessOptions
from tests.fixtures.witness import listening
from tests.integration.service.running import free_port


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings of a new installation with keys, on an environment of its own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    settings = Settings(data=tmp_path / "data")
    ensure_keys(settings)
    return settings


def _wrong(findings: list[Finding]) -> list[Finding]:
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    assert all(finding.advice for finding in wrong)
    return wrong


def _with(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def test_a_new_installation_has_nothing_wrong(settings: Settings) -> None:
    checks = (
        installation.check_variables(),
        installation.check_combinations(settings),
        installation.check_files(settings),
        installation.check_keys(settings),
        installation.check_weights(),
        installation.check_law(settings),
    )
    assert _wrong([finding for findings in checks for finding in findings]) == []


def test_a_misspelt_variable_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHICHAO_WEBPORT", "80")
    (found,) = _wrong(installation.check_variables())
    assert "ZHICHAO_WEBPORT" in found.detail


def test_a_shared_subscription_on_the_embedded_broker_is_found(settings: Settings) -> None:
    (found,) = _wrong(installation.check_combinations(_with(settings, broker_share_group="g")))
    assert "ZHICHAO_BROKER_SHARE_GROUP" in found.advice


def test_profiles_for_tests_are_found(settings: Settings) -> None:
    (found,) = _wrong(installation.check_combinations(_with(settings, test_profiles=True)))
    assert "ZHICHAO_TEST_PROFILES" in found.advice


def test_a_client_certificate_without_its_key_is_found(settings: Settings) -> None:
    (found,) = _wrong(installation.check_combinations(_with(settings, broker_cert_file=Path("c.pem"))))
    assert "ZHICHAO_BROKER_KEY_FILE" in found.advice


def test_a_test_time_authority_and_a_missing_guard_band_are_warned_of(settings: Settings) -> None:
    findings = installation.check_combinations(_with(settings, rule_guard_k_milli=0))
    assert [(one.verdict, one.subject) for one in findings] == [
        ("warning", "time stamps"),
        ("warning", "rule"),
    ]


def test_credentials_that_others_can_read_are_found(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "credentials"
    secret.write_text("user:password\n")
    secret.chmod(0o644)
    changed = _with(settings, broker_credentials_file=secret)
    (found,) = _wrong(installation.check_files(changed))
    assert found.advice == f"chmod 600 {secret}"
    secret.chmod(0o600)
    assert _wrong(installation.check_files(changed)) == []


def test_a_named_file_that_is_missing_is_found(settings: Settings) -> None:
    (found,) = _wrong(installation.check_files(_with(settings, broker_ca_file=Path("nowhere.pem"))))
    assert "ZHICHAO_BROKER_CA_FILE" in found.detail


def test_a_folder_that_cannot_be_made_is_found(settings: Settings, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    # With a database of one's own: the embedded one objects to pytest's private folders under root.
    own = _with(settings, database_url=SecretStr("postgresql://db"), blob_folder=in_the_way / "blobs")
    (found,) = _wrong(installation.check_folders(own))
    assert "images" in found.detail


def test_a_key_that_others_can_read_is_found(settings: Settings) -> None:
    (settings.keys_root / "service.pem").chmod(0o644)
    (found,) = _wrong(installation.check_keys(settings))
    assert "service.pem" in found.detail


def test_a_trust_file_of_other_keys_is_found(settings: Settings, tmp_path: Path) -> None:
    other = Settings(data=tmp_path / "other")
    ensure_keys(other)
    settings.trust_path.write_bytes(other.trust_path.read_bytes())
    (found,) = _wrong(installation.check_keys(settings))
    assert found.subject == "trust file"


def test_an_authority_whose_root_or_certificate_ends_is_told_of_in_time(settings: Settings) -> None:
    keys, now = load_keys(settings.keys_root), datetime.now(UTC)
    (found,) = check_authority(settings, now)
    assert found.verdict == "fine"
    log_of(settings, keys).append([bytes(32)])
    stamp_heads(settings.log_root, LocalTestAuthority(settings.keys_root), now.date())
    ends = keys.tsa_root.not_valid_after_utc
    for days, verdict in ((181, "fine"), (180, "warning"), (0, "wrong")):
        found_then = check_authority(settings, ends - timedelta(days=days))
        assert [one.verdict for one in found_then] == [verdict, verdict]
    sooner = _with(settings, tsa_notice_days=10)
    assert check_authority(sooner, ends - timedelta(days=11))[0].verdict == "fine"
    (settings.log_root / "heads" / f"{now.date()}.tsr").write_bytes(b"no token")
    assert len(check_authority(settings, now)) == 1


def test_a_witness_of_the_same_hand_is_warned_of(settings: Settings) -> None:
    found = [one for one in installation.check_keys(settings) if one.verdict == "warning"]
    assert [one.subject for one in found] == ["witness"]
    assert str(settings.keys_root) in found[0].detail
    assert "under the same administration" in found[0].detail


def test_a_witness_apart_is_named_in_the_trust_file(tmp_path: Path) -> None:
    key = published_witness_key(create_witness_key(tmp_path / "apart", "example.net/witness"))
    settings = Settings(data=tmp_path / "data", witness_url="http://witness.example", witness_key=key)
    ensure_keys(settings)
    assert [str(one) for one in Trust.load(settings.trust_path).witnesses] == [key]
    assert all(one.verdict == "fine" for one in installation.check_keys(settings))


def test_a_witness_that_was_replaced_stays_in_the_trust_file(settings: Settings, tmp_path: Path) -> None:
    """What it cosigned must still verify; the administrator is told that its key is at hand."""
    own = [str(one) for one in Trust.load(settings.trust_path).witnesses]
    settings.own_witness_root.mkdir()
    (settings.own_witness_root / "head").write_bytes(b"")
    key = published_witness_key(create_witness_key(tmp_path / "apart", "example.net/witness"))
    later = _with(settings, witness_url="http://witness.example", witness_key=key)
    trust = Trust.parse(expected_trust(later, load_keys(later.keys_root)))
    assert [str(one) for one in trust.witnesses] == [key, *own]
    assert installation.check_witness(later).verdict == "warning"


def test_a_witness_that_does_not_answer_or_does_not_know_the_log_is_found(tmp_path: Path) -> None:
    published = published_witness_key(create_witness_key(tmp_path / "keys", "example.net/witness"))
    options = WitnessOptions(tmp_path / "keys", tmp_path / "state", (), port=free_port())
    settings = Settings(
        data=tmp_path / "data", witness_url=f"http://{options.host}:{options.port}", witness_key=published
    )
    keys = ensure_keys(settings)
    assert ask_witness(settings) == []  # an empty log has no head to show
    knowing = options._replace(logs=Trust.load(settings.trust_path).logs)
    with listening(knowing):
        log_of(settings, keys).append([bytes(32)])
        assert [one.verdict for one in ask_witness(settings)] == ["fine"]
    (away,) = _wrong(ask_witness(settings))
    assert "does not answer" in away.detail
    strangers = Settings(data=tmp_path / "strangers")
    ensure_keys(strangers)
    with listening(options._replace(logs=Trust.load(strangers.trust_path).logs)):
        (unknown,) = _wrong(ask_witness(settings))
    assert "403" in unknown.detail


@pytest.mark.parametrize("half", [{"witness_url": "http://witness.example"}, {"witness_key": "x"}])
def test_half_a_witness_is_found(settings: Settings, half: dict[str, object]) -> None:
    (found,) = _wrong(installation.check_combinations(_with(settings, **half)))
    assert found.subject == "witness"


def test_the_law_of_today_is_the_local_days(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 16:00 UTC a day begins in China, and with it, perhaps, a new row."""
    asked: list[date] = []
    monkeypatch.setattr(installation, "limit_tables", lambda day, **_: asked.append(day))
    for minute in (59, 60):
        installation.check_law(settings, datetime(2026, 12, 31, 15, tzinfo=UTC) + timedelta(minutes=minute))
    assert asked == [date(2026, 12, 31), date(2027, 1, 1)]


def test_a_confirmed_row_that_does_not_exist_is_found(settings: Settings) -> None:
    (found,) = _wrong(installation.check_law(_with(settings, law_confirmed_rows=frozenset({"no-such-row"}))))
    assert "no-such-row" in found.detail


@pytest.mark.anyio
async def test_a_broker_that_does_not_answer_is_found(settings: Settings) -> None:
    changed = _with(settings, broker_kind=BrokerKind.MOSQUITTO, broker_port=free_port())
    (found,) = _wrong(await check_broker(changed))
    assert "ZHICHAO_BROKER_PORT" in found.advice
