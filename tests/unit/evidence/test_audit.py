"""The auditor: honest logs pass, and a log that shows two histories is found out and proved to have."""

import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from domain.errors import ServiceUnavailable
from domain.units import utc_text
from evidence import COSIGNATURE, Trust, VerifierKey, trust_bytes, trust_file
from evidence.audit import Auditor, OtherHead
from evidence.audit_report import AuditReport, Verdict
from evidence.checkpoint import Checkpoint, SignedCheckpoint, cosignature
from evidence.head_stamps import stamp_heads
from evidence.log_copy import FolderCopy, copy_at
from evidence.merkle import root
from evidence.tiles import Tiles
from service.cli import main
from tests.counts import count
from tests.fixtures.evidence import Deployment
from tests.unit.evidence.test_log import leaves


def audited(deployment: Deployment, folder: Path | None = None, **options: Any) -> AuditReport:
    return Auditor(FolderCopy(folder or deployment.folder / "log"), deployment.trust).audit(**options)


def broken(report: AuditReport) -> list[str]:
    return [check.name for check in report.checks if check.verdict is Verdict.BROKEN]


def rewritten(deployment: Deployment, folder: Path, hashes: list[bytes], *, cosigned: bool = True) -> Path:
    """Lay out another log as an insider with the log's key could; `cosigned`: with the witness's key too."""
    Tiles(folder).append(0, hashes)
    head = Checkpoint(deployment.keys.log.name, len(hashes), root(len(hashes), Tiles(folder).node))
    line = cosignature(head.text, deployment.keys.witness, int(deployment.now.timestamp()))
    (folder / "checkpoint").write_bytes(head.sign(deployment.keys.log) + (line if cosigned else b""))
    return folder


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1000, 65_536, 66_000])
def test_an_honest_log_holds(deployment: Deployment, size: int) -> None:
    deployment.log.append(leaves(0, size)[: size // 2 or 1])
    last = deployment.log.checkpoint_note
    if size > 1:
        deployment.log.append(leaves(0, size)[size // 2 :])
    for full in (False, True):
        report = audited(deployment, last=last, full=full)
        assert report.status == 0, report
        assert report.may_be_followed
        assert report.head == deployment.log.checkpoint_note


def test_split_view_two_heads_of_one_size_are_kept_as_proof(deployment: Deployment, tmp_path: Path) -> None:
    deployment.log.append(leaves(0, 300))
    other = rewritten(deployment, tmp_path / "other", leaves(0, 300, "other"))
    report = audited(deployment, others=[OtherHead("copy", (other / "checkpoint").read_bytes())])
    assert broken(report) == ["other head copy"]
    (proof,) = report.contradictions
    heads = [SignedCheckpoint.parse(note) for note in (proof.first, proof.second)]
    for head in heads:
        head.check_log(deployment.trust.logs[0])
    assert heads[0].checkpoint.size == heads[1].checkpoint.size
    assert heads[0].checkpoint.root != heads[1].checkpoint.root


def test_a_head_of_others_is_compared_whichever_is_the_longer(deployment: Deployment, tmp_path: Path) -> None:
    deployment.log.append(leaves(0, 300))
    earlier = deployment.log.checkpoint_note
    shutil.copytree(deployment.folder / "log", tmp_path / "mirror")
    deployment.log.append(leaves(300, 700))
    later, copy = deployment.log.checkpoint_note, FolderCopy(deployment.folder / "log")
    assert audited(deployment, others=[OtherHead("earlier", earlier)]).status == 0
    mirror = tmp_path / "mirror"
    assert audited(deployment, mirror, others=[OtherHead("ahead", later, copy)]).status == 0
    assert audited(deployment, mirror, others=[OtherHead("ahead, no tiles", later)]).status == 2
    forked = rewritten(deployment, tmp_path / "forked", leaves(0, 900, "forked"))
    report = audited(
        deployment, others=[OtherHead("fork", (forked / "checkpoint").read_bytes(), FolderCopy(forked))]
    )
    assert broken(report) == ["other head fork"]
    assert len(report.contradictions) == 1


def test_a_head_that_the_log_did_not_sign_says_nothing_about_it(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Else anybody could accuse a log with a head of their own."""
    deployment.log.append(leaves(0, 30))
    stranger = Deployment(tmp_path / "stranger")
    stranger.log.append(leaves(0, 30, "stranger"))
    report = audited(deployment, others=[OtherHead("stranger", stranger.log.checkpoint_note)])
    assert (report.status, report.contradictions) == (2, [])


def test_a_log_restored_from_a_backup_went_back(deployment: Deployment, tmp_path: Path) -> None:
    deployment.log.append(leaves(0, 300))
    shutil.copytree(deployment.folder / "log", tmp_path / "backup")
    deployment.log.append(leaves(300, 310))
    report = audited(deployment, tmp_path / "backup", last=deployment.log.checkpoint_note)
    assert broken(report) == ["continues"]
    assert not report.may_be_followed


def test_a_head_that_no_witness_cosigned(deployment: Deployment, tmp_path: Path) -> None:
    alone = rewritten(deployment, tmp_path / "alone", leaves(0, 9), cosigned=False)
    assert broken(audited(deployment, alone)) == ["witness"]


def test_a_witness_that_was_asked_for_must_have_cosigned(deployment: Deployment, tmp_path: Path) -> None:
    deployment.log.append(leaves(0, 9))
    own = VerifierKey.of(deployment.keys.witness, COSIGNATURE)
    assert audited(deployment, witnesses=[own]).status == 0
    other = VerifierKey.of(Deployment(tmp_path / "other", name="other.invalid").keys.witness, COSIGNATURE)
    assert broken(audited(deployment, witnesses=[own, other])) == ["witness"]


def test_tiles_that_are_not_the_entries(deployment: Deployment) -> None:
    """A leaf changed below full tiles: the right edge does not show it, recomputing everything does."""
    deployment.log.append(leaves(0, 1000))
    tile = deployment.folder / "log/tile/0/001"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    assert audited(deployment).status == 0
    assert broken(audited(deployment, full=True)) == ["root"]
    tile.unlink()
    assert broken(audited(deployment, full=True)) == ["root"]


def test_tiles_made_up_to_fit_both_heads_do_not_help(deployment: Deployment, tmp_path: Path) -> None:
    """The old head's leaves below, the new head's hashes above: no proof leads to both roots."""
    deployment.log.append(leaves(0, 400))
    last = deployment.log.checkpoint_note
    forged = rewritten(deployment, tmp_path / "forged", leaves(0, 10, "x") + leaves(10, 900))
    shutil.copy(deployment.folder / "log/tile/0/000", forged / "tile/0/000")
    report = audited(deployment, forged, last=last)
    assert "continues" in broken(report)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder's files over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_log_is_audited_over_http_and_file_addresses(deployment: Deployment) -> None:
    deployment.log.append(leaves(0, 700))
    stamp_heads(deployment.folder / "log", deployment.authority, deployment.now.date())
    last = deployment.log.checkpoint_note
    deployment.log.append(leaves(700, 1500))
    with served(deployment.folder / "log") as url:
        report = Auditor(copy_at(url), deployment.trust).audit(last=last, full=True)
    assert report.status == 0, report
    assert all(check.verdict is Verdict.HOLDS for check in report.checks)
    file = Auditor(copy_at((deployment.folder / "log").as_uri()), deployment.trust).audit(last=last)
    assert file.status == 0


def test_a_place_that_does_not_answer_is_unchecked_not_broken(deployment: Deployment) -> None:
    with served(deployment.folder) as url:
        pass
    assert Auditor(copy_at(url), deployment.trust).audit().status == 2


class Command:
    """`zhichao evidence audit` on a deployment's log."""

    def __init__(self, deployment: Deployment) -> None:
        self.trust = deployment.folder / "trust.json"
        self.trust.write_bytes(trust_bytes(trust_file(deployment.keys)))
        self.state = deployment.folder / "auditor/head"

    def __call__(self, place: Path | str, *arguments: str) -> Result:
        common = ["--trust", str(self.trust), "--state", str(self.state)]
        return CliRunner().invoke(main, ["evidence", "audit", str(place), *common, *arguments])


def test_the_command_follows_a_log_and_keeps_what_proves_its_fork(
    deployment: Deployment, tmp_path: Path
) -> None:
    run, log = Command(deployment), deployment.folder / "log"
    for begin in (0, 100, 350):
        deployment.log.append(leaves(begin, begin + 100))
        done = run(log)
        assert done.exit_code == 0, done.output
        assert run.state.read_bytes() == deployment.log.checkpoint_note
    kept = run.state.read_bytes()
    fork = rewritten(deployment, tmp_path / "fork", leaves(0, 500, "fork"))
    done = run(fork, "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["status"] == 1
    assert run.state.read_bytes() == kept
    (proof,) = (run.state.parent / "head.proofs").iterdir()
    assert {(proof / f"{name}.checkpoint").read_text() for name in ("first", "second")} == {
        report["contradictions"][0]["first"],
        report["contradictions"][0]["second"],
    }
    assert run(log, "--other", str(fork)).exit_code == 1
    assert run(log, "--other", str(fork / "checkpoint")).exit_code == 2  # ahead, and no tiles to compare
    assert run(log, "--other", str(log / "checkpoint"), "--full").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        lambda folder: [str(folder / "missing")],
        lambda folder: [str(folder / "log"), "--other", str(folder / "missing")],
        lambda folder: [str(folder / "log"), "--witness", "nobody"],
        lambda folder: ["http://127.0.0.1:9/log"],
    ],
)
def test_what_cannot_be_checked_ends_with_2(
    deployment: Deployment, arguments: Callable[[Path], list[str]]
) -> None:
    deployment.log.append(leaves(0, 9))
    done = Command(deployment)(*arguments(deployment.folder))
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output


class _Away:
    def stamp(self, data: bytes) -> bytes:
        """Answer as an authority that is away."""
        raise ServiceUnavailable("away")


def test_heads_are_stamped_once_a_day_and_checked(deployment: Deployment) -> None:
    log = deployment.folder / "log"
    assert stamp_heads(log, deployment.authority, date(2026, 3, 20)) == []  # an empty log has no head
    for day in range(5):
        deployment.log.append(leaves(day * 10, day * 10 + 10))
        deployment.now += timedelta(days=1)
        today = deployment.now.date()
        assert stamp_heads(log, deployment.authority, today) == [today]
        assert stamp_heads(log, deployment.authority, today) == []
    report = audited(deployment, full=True)
    assert report.status == 0, report
    assert report.checks[-1].detail.startswith("5 of 5 days checked")


def bounded(deployment: Deployment, part: str, **life: datetime) -> None:
    """Have the deployment's trust file bound the life of its one key of a part."""
    document = trust_file(deployment.keys)
    entry = document[part][0]
    document[part] = [{"key": entry} if isinstance(entry, str) else entry]
    document[part][0] |= {name: utc_text(bound) for name, bound in life.items()}
    deployment.trust = Trust.parse(trust_bytes(document))


def test_a_head_stamped_by_an_authority_after_its_life(deployment: Deployment) -> None:
    deployment.log.append(leaves(0, 10))
    stamp_heads(deployment.folder / "log", deployment.authority, deployment.now.date())
    for life in ("revoked_at", "valid_to"):
        bounded(deployment, "time_authorities", **{life: deployment.now - timedelta(hours=1)})
        assert broken(audited(deployment)) == ["time stamps"]
    bounded(deployment, "time_authorities", revoked_at=deployment.now + timedelta(hours=1))
    report = audited(deployment)
    assert report.status == 0
    assert "was revoked later" in report.checks[-1].detail


def test_a_head_that_only_a_witness_whose_key_has_ended_cosigned_proves_no_time(
    deployment: Deployment,
) -> None:
    """Who kept the key may write a time of its life as long as he likes: the auditor waits for another."""
    deployment.log.append(leaves(0, 10))
    bounded(deployment, "witnesses", valid_to=deployment.now + timedelta(hours=1))
    report = audited(deployment)
    assert report.status == 2
    assert "whose key has ended" in report.checks[1].detail


def test_an_authority_away_is_asked_again(deployment: Deployment) -> None:
    """The head of the day waits for its token; it is not replaced by a later one."""
    log = deployment.folder / "log"
    deployment.log.append(leaves(0, 10))
    waiting = deployment.log.checkpoint_note
    with pytest.raises(ServiceUnavailable):
        stamp_heads(log, _Away(), date(2026, 3, 20))
    assert audited(deployment).checks[-1].verdict is Verdict.ABSENT
    deployment.log.append(leaves(10, 20))
    days = [date(2026, 3, 20), date(2026, 3, 21)]
    assert stamp_heads(log, deployment.authority, days[1]) == days
    assert (log / "heads/2026-03-20.checkpoint").read_bytes() == waiting
    assert audited(deployment).status == 0


def _other_token(deployment: Deployment, heads: Path) -> None:
    (heads / "2026-03-20.tsr").write_bytes(deployment.authority.stamp(b"something else"))


def _other_head(deployment: Deployment, heads: Path) -> None:
    fork = rewritten(deployment, heads.parent.parent / "fork", leaves(0, 10, "fork"))
    note = (fork / "checkpoint").read_bytes()
    (heads / "2026-03-20.checkpoint").write_bytes(note)
    (heads / "2026-03-20.tsr").write_bytes(deployment.authority.stamp(note))


def _longer_head(deployment: Deployment, heads: Path) -> None:
    fork = rewritten(deployment, heads.parent.parent / "fork", leaves(0, 30))
    note = (fork / "checkpoint").read_bytes()
    (heads / "2026-03-20.checkpoint").write_bytes(note)
    (heads / "2026-03-20.tsr").write_bytes(deployment.authority.stamp(note))


def _stamped_before(deployment: Deployment, heads: Path) -> None:
    deployment.now = datetime(2026, 3, 10, tzinfo=UTC)
    note = (heads / "2026-03-20.checkpoint").read_bytes()
    (heads / "2026-03-20.tsr").write_bytes(deployment.authority.stamp(note))


def _gone(_: Deployment, heads: Path) -> None:
    (heads / "2026-03-20.tsr").unlink()


def _no_date(_: Deployment, heads: Path) -> None:
    (heads / "dates").write_text("2026-03-20\n../../etc\n")


def _out_of_order(_: Deployment, heads: Path) -> None:
    (heads / "dates").write_text("2026-03-20\n2026-03-20\n")


@pytest.mark.parametrize(
    "attack", [_other_token, _other_head, _longer_head, _stamped_before, _gone, _no_date, _out_of_order]
)
def test_stamped_heads_that_are_not_what_they_say(
    deployment: Deployment, attack: Callable[[Deployment, Path], None]
) -> None:
    deployment.log.append(leaves(0, 10))
    log = deployment.folder / "log"
    stamp_heads(log, deployment.authority, date(2026, 3, 20))
    deployment.log.append(leaves(10, 20))
    attack(deployment, log / "heads")
    report = audited(deployment)
    assert broken(report) == ["time stamps"]
    assert len(report.contradictions) == (1 if attack in (_other_head, _longer_head) else 0)


def test_whatever_lies_where_the_log_should_be_is_found_or_changes_nothing(
    deployment: Deployment, tmp_path: Path
) -> None:
    """A bit flipped, a cut, or rubbish in any file of a log: never an error of ours, never a false head."""
    rng = random.Random(12)
    for begin, end in ((0, 256), (256, 300), (300, 612)):
        deployment.log.append(leaves(begin, end))
        deployment.now += timedelta(days=1)
        stamp_heads(deployment.folder / "log", deployment.authority, deployment.now.date())
    note = deployment.log.checkpoint_note
    place = tmp_path / "copy"
    shutil.copytree(deployment.folder / "log", place)
    superseded = place / "tile/1/000.p/1"  # by a wider one; nobody reads it any more
    files = [path for path in sorted(place.rglob("*")) if path.is_file() and path.name != "lock"]
    files.remove(superseded)
    for number in range(count(3000, reduced=150)):
        file = files[number % len(files)]
        original = file.read_bytes()
        damaged = bytearray(original)
        way = rng.choice(["flip", "cut", "rubbish"])
        if way == "flip":
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        elif way == "cut":
            del damaged[rng.randrange(len(damaged)) :]
        else:
            damaged[:] = rng.randbytes(rng.randrange(200))
        file.write_bytes(damaged)
        report = audited(deployment, place, last=note, full=True)
        # A token can be altered in places without breaking its signature; a list may just lose its end.
        harmless = file.suffix == ".tsr" or file.name == "dates"
        assert report.status == 1 or (harmless and way != "rubbish"), (file, way, report)
        file.write_bytes(original)
    assert audited(deployment, place, last=note, full=True).status == 0
