"""Commands on the installation's keys: `zhichao keys`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from domain.units import utc_text
from service.command import explained, read_settings, run_to_end
from service.device_trust import devices_registered, trust_with_devices
from service.key_changes import (
    OVERLAP,
    ListedKey,
    Rotation,
    adopt,
    list_keys,
    revoke,
    rotate,
    trust_text,
)
from service.keys_history import history_command
from service.settings import Settings
from service.trust_publishing import publish_trust
from service.witness_change import change_witness

_TIME = click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ"])
_WRITE = click.option(
    "--write-trust",
    "write",
    is_flag=True,
    help="Write the trust file anew too; without it, it stays as it is.",
)


@click.group("keys")
def keys_group() -> None:
    """Have keys followed by others, revoke them, publish the trust file."""


keys_group.add_command(history_command)


@keys_group.command("list")
@explained
def keys_list() -> None:
    """List the keys the trust file should name, with the bounds of their lives."""
    for key in list_keys(read_settings()):
        click.echo(_line(key))


@keys_group.command("rotate")
@click.argument("role", type=click.Choice(["service", "witness"]))
@click.option(
    "--overlap-days",
    type=click.IntRange(min=0),
    default=OVERLAP.days,
    show_default=True,
    help="How long what the old key signed may still be witnessed.",
)
@click.option("--to-label", help="Label of the new pair of keys, where a token holds the service's.")
@_WRITE
@explained
def keys_rotate(role: str, overlap_days: int, to_label: str | None, write: bool) -> None:
    """Have the key of ROLE followed by a new one.

    The old key signs a statement that names the new one, and the log gets it; the old key is kept, moved
    aside. Start all processes again afterwards, with the new trust file: until then they use the old key.
    A change that was cut off is ended by the same command.

    Where ZHICHAO_WITNESS_URL names a witness apart, that one follows: the witness inside this installation
    cosigns nothing from this moment on, and what its key signs later does not count.
    """
    settings, overlap = read_settings(), timedelta(days=overlap_days)
    if role == "witness" and settings.witness_url is not None:
        for ended in run_to_end(change_witness(settings, now=datetime.now(UTC), overlap=overlap)):
            _tell_of_rotation(role, ended)
        _tell_of_trust(settings, write=write)
        return
    done = run_to_end(rotate(settings, role, now=datetime.now(UTC), overlap=overlap, to_label=to_label))
    _tell_of_rotation(role, done)
    if to_label is not None:
        settings = settings.model_copy(update={"pkcs11_key": to_label})
        click.echo(f"set ZHICHAO_PKCS11_KEY={to_label} for all processes before they start again")
    _tell_of_trust(settings, write=write)


@keys_group.command("revoke")
@click.argument("key_id", metavar="ID")
@click.option("--reason", required=True, help="Why; stands in the statement.")
@click.option(
    "--at", type=_TIME, help="From when on, UTC, like 2026-11-23T08:00:00Z; without it, from now on."
)
@_WRITE
@explained
def keys_revoke(key_id: str, reason: str, at: datetime | None, write: bool) -> None:
    """Revoke the key whose id begins with ID.

    What a witness saw before still holds; what was witnessed from then on does not. A service or witness
    key in use is rotated first. A log's key or a time stamp authority has no follower here: with it revoked,
    nothing sealed later verifies.
    """
    settings, now = read_settings(), datetime.now(UTC)
    revoked_at = now if at is None else at.replace(tzinfo=UTC)
    click.echo(_line(run_to_end(revoke(settings, key_id, now=now, revoked_at=revoked_at, reason=reason))))
    _tell_of_trust(settings, write=write)


@keys_group.command("trust-file")
@click.option("--write", is_flag=True, help="Write it to ZHICHAO_TRUST_FILE, over the one that is there.")
@explained
def keys_trust_file(write: bool) -> None:
    """Print the trust file that belongs to the installation's keys, former ones too."""
    settings = read_settings()
    if write:
        _tell_of_trust(settings, write=True)
    else:
        click.echo(trust_text(settings), nl=False)


@keys_group.command("adopt")
@click.argument("former", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--ended-at",
    type=_TIME,
    help="When the former log was stopped, UTC, like 2026-11-23T08:00:00Z; without it, now.",
)
@_WRITE
@explained
def keys_adopt(former: Path, ended_at: datetime | None, write: bool) -> None:
    """Name the keys of a former installation in the trust file too, as keys that have ended.

    FORMER is the trust file of an installation whose log was ended because its key had to change. Packages of
    both logs verify with the one trust file; what the former keys sign later does not count.
    """
    settings = read_settings()
    at = datetime.now(UTC) if ended_at is None else ended_at.replace(tzinfo=UTC)
    for one in adopt(settings, former.read_bytes(), ended_at=at):
        click.echo(f"adopted {one}")
    _tell_of_trust(settings, write=write)


@keys_group.command("devices")
@click.option(
    "--write", is_flag=True, help="Put them into ZHICHAO_TRUST_FILE; all else in it stays as it is."
)
@explained
def keys_devices(write: bool) -> None:
    """Print the stations' devices as a trust file lists them, by the keys in the registry.

    With them in the trust file, what these devices report must be signed by these keys to be verified.
    Devices registered with `signature = "optional"` are left out.
    """
    settings = read_settings()
    if write:
        _publish(settings, run_to_end(trust_with_devices(settings)))
    else:
        listed = run_to_end(devices_registered(settings))
        click.echo(json.dumps(listed, indent=2, sort_keys=True, ensure_ascii=False))


def _tell_of_rotation(role: str, done: Rotation) -> None:
    click.echo(f"the {role} key {done.ended} is followed by {done.follower}")
    click.echo(f"what the old key signed counts if it is witnessed by {utc_text(done.valid_to)}")


def _tell_of_trust(settings: Settings, *, write: bool) -> None:
    if write:
        _publish(settings, trust_text(settings).encode())
    else:
        click.echo(
            f"{settings.trust_path} was not changed: `zhichao keys trust-file --write` writes it anew",
            err=True,
        )


def _publish(settings: Settings, content: bytes) -> None:
    digest = run_to_end(publish_trust(settings, content, now=datetime.now(UTC)))
    click.echo(f"wrote {settings.trust_path}; publish it, sha256 {digest}")


def _line(key: ListedKey) -> str:
    bounds = "".join(f" {name} {bound}" for name, bound in sorted(key.life.members().items()))
    return f"{key.role:<8} {key.key_id} {'in use' if key.in_use else 'former'}{bounds}"
