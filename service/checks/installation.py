"""Checks of settings, folders, keys, weights and law tables: everything that needs no database."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import ZhichaoError
from domain.law import limit_tables
from evidence.keys_folder import is_cut_off
from plate_recognition.weights import (
    CORNER_DETECTOR,
    PLATE_CHARACTERS,
    PLATE_RECOGNISER,
    TEXT_DETECTOR,
    TEXT_RECOGNISER,
    locate,
)
from service.checks.finding import Finding, fine, warning, wrong
from service.embedded.unprivileged import obstacle, server_user
from service.keys import expected_trust, keys_of, own_witness_stands
from service.settings import BrokerKind, Settings, unknown_variables
from store.registry import local_day

_LEAST_FREE_BYTES = 2 * 2**30
_PRIVATE_FILES = ("broker_credentials_file", "broker_key_file", "sm2_key_file", "pkcs11_pin_file")
_READABLE_FILES = ("broker_ca_file", "broker_cert_file", "tsa_certificate_file", "policy_file")
_WEIGHTS = (CORNER_DETECTOR, PLATE_RECOGNISER, PLATE_CHARACTERS, TEXT_DETECTOR, TEXT_RECOGNISER)


def check_variables() -> list[Finding]:
    """Find variables that look like settings and are none."""
    unknown = unknown_variables()
    if not unknown:
        return [fine("settings", "every ZHICHAO_ variable is known")]
    return [
        wrong("settings", f"{name} is no setting", "correct its name; the list is docs/reference/settings.md")
        for name in unknown
    ]


def check_combinations(settings: Settings) -> list[Finding]:
    """Find settings that contradict each other, or are fit for trying out only."""
    found = []
    if settings.broker_kind is BrokerKind.EMBEDDED and settings.broker_share_group:
        found.append(
            wrong(
                "broker",
                "a shared subscription with the embedded broker loses its session when its ingester dies",
                "unset ZHICHAO_BROKER_SHARE_GROUP, or use Mosquitto",
            )
        )
    if (settings.broker_cert_file is None) != (settings.broker_key_file is None):
        found.append(
            wrong(
                "broker",
                "a client certificate and its key go together",
                "set both ZHICHAO_BROKER_CERT_FILE and ZHICHAO_BROKER_KEY_FILE, or neither",
            )
        )
    if settings.tsa_url is None:
        found.append(
            warning(
                "time stamps",
                "packages are stamped by our own test authority, which proves nothing to others",
                "set ZHICHAO_TSA_URL to an RFC 3161 authority before evidence is used",
            )
        )
    if (settings.witness_key is None) != (settings.witness_url is None):
        found.append(
            wrong(
                "witness",
                "a witness's address and its published key go together",
                "set both ZHICHAO_WITNESS_URL and ZHICHAO_WITNESS_KEY, or neither",
            )
        )
    if settings.test_profiles:
        found.append(
            wrong(
                "test profiles",
                "sites may make cases of passages whose evidence is complete for tests only",
                "unset ZHICHAO_TEST_PROFILES; it is for tests of this software",
            )
        )
    if settings.rule_guard_k_milli == 0:
        found.append(
            warning(
                "rule",
                "the guard band is zero: half of all vehicles exactly at the limit would be flagged",
                "set ZHICHAO_RULE_GUARD_K_MILLI, 3000 by default",
            )
        )
    return found


def check_files(settings: Settings) -> list[Finding]:
    """Find named files that cannot be read, or secrets that others can read."""
    found = []
    for field in (*_READABLE_FILES, *_PRIVATE_FILES):
        path: Path | None = getattr(settings, field)
        if path is None:
            continue
        name = f"ZHICHAO_{field.upper()}"
        if not path.is_file() or not os.access(path, os.R_OK):
            found.append(wrong("files", f"{name} names {path}, which cannot be read", "correct the path"))
        elif field in _PRIVATE_FILES and stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.append(wrong("files", f"others can read the secret {path}", f"chmod 600 {path}"))
    return found


def check_folders(settings: Settings) -> list[Finding]:
    """Find folders that cannot be written to, or are about to be full."""
    found = []
    for name, folder in (
        ("data", settings.data),
        ("evidence", settings.evidence_root),
        ("images", settings.blob_root),
        ("log", settings.log_root),
    ):
        existing = _nearest_existing(folder)
        if not os.access(existing, os.W_OK | os.X_OK):
            found.append(
                wrong("folders", f"cannot write to {folder} ({name})", f"give the service's user {existing}")
            )
            continue
        free = os.statvfs(existing)
        if free.f_bavail * free.f_frsize < _LEAST_FREE_BYTES:
            found.append(warning("folders", f"less than 2 GiB free for {folder} ({name})", "make room"))
    if settings.database_url is None:
        found += _embedded_folder(settings)
    return found or [fine("folders", "all can be written to and have room")]


def _embedded_folder(settings: Settings) -> list[Finding]:
    user = server_user()
    shut = obstacle(_nearest_existing(settings.data), user)
    if shut is None:
        return []
    return [
        wrong(
            "folders",
            f"the embedded database runs as {user.name!r}, who cannot enter {shut}",
            f"set ZHICHAO_DATA elsewhere, or: chmod o+rx {shut}",
        )
    ]


def check_keys(settings: Settings) -> list[Finding]:
    """Find keys that others can read, and a trust file that does not belong to them."""
    if not settings.keys_root.exists():
        return [fine("keys", "none yet; the first start makes them")]
    try:
        keys = keys_of(settings)
    except ZhichaoError as error:
        return [wrong("keys", str(error), "restore the keys, or start with a new data folder")]
    advice = (
        "restore the trust file you published, or, after a change of keys, write it anew with "
        "`zhichao keys trust-file --write` and publish that; packages do not verify against another one"
    )
    try:
        published = settings.trust_path.read_bytes()
    except OSError as error:
        return [wrong("trust file", f"{settings.trust_path} cannot be read: {error.strerror}", advice)]
    if published != expected_trust(settings, keys):
        return [wrong("trust file", f"{settings.trust_path} does not name this installation's keys", advice)]
    cut_off = is_cut_off(settings.keys_root)
    if cut_off:
        again = " and ".join(f"`zhichao keys rotate {role}`" for role in cut_off)
        return [wrong("keys", "a key's change was begun and not ended", f"run {again}, which ends it")]
    return [
        fine("keys", "readable by their owner only, and named in the trust file"),
        check_witness(settings),
    ]


def check_witness(settings: Settings) -> Finding:
    """Say plainly whether the log's witness is under another administration than the log."""
    demo_key = settings.witness_apart_root / "keys"
    if settings.witness_url is None or demo_key.exists():
        where = demo_key if demo_key.exists() else settings.keys_root
        return warning(
            "witness",
            f"under the same administration as the log: its key lies in {where}, and who rewrites the log "
            "can cosign it too",
            "have somebody else run one (docs/how-to/run-a-witness.md) and set ZHICHAO_WITNESS_URL; until "
            "then publish the log's checkpoint outside this administration from time to time",
        )
    if own_witness_stands(settings, keys_of(settings)):
        return warning(
            "witness",
            f"{settings.witness_url} cosigns; the former one, whose key is here, is still trusted",
            "`zhichao keys rotate witness --write-trust` ends it (docs/how-to/run-a-witness.md)",
        )
    return fine("witness", f"{settings.witness_url} cosigns, with a key that is not in this installation")


def check_weights() -> list[Finding]:
    """Find missing network weights."""
    found = []
    for weight in _WEIGHTS:
        try:
            locate(weight)
        except ZhichaoError as error:
            found.append(wrong("plate reading", str(error), "run `make setup`"))
    return found or [fine("plate reading", "all network weights are installed")]


def check_law(settings: Settings, now: datetime | None = None) -> list[Finding]:
    """Find law tables that do not load for the local day, and confirmed rows that do not exist."""
    today = local_day(now or datetime.now(UTC))
    try:
        limit_tables(today, confirmed_rows=settings.law_confirmed_rows)
    except ZhichaoError as error:
        return [wrong("law tables", str(error), "correct ZHICHAO_LAW_CONFIRMED_ROWS or the table named")]
    return [fine("law tables", f"load for today, {today}")]


def _nearest_existing(folder: Path) -> Path:
    resolved = folder.resolve()
    return next(step for step in (resolved, *resolved.parents) if step.exists())
