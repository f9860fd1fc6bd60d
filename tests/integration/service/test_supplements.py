"""What comes after the package: a supplement that follows it, once, and changes neither it nor the case."""

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from domain.errors import NotFound, ServiceUnavailable
from domain.events import CaptureRole
from domain.ids import CaseId
from evidence import sealed_event, verify_package
from service import supplementing
from service.cli import main
from service.pipeline import complete, settle
from service.supplement_asking import ask_for_correction
from service.supplementing import supplement
from store.case_queries import exhibit
from store.cases import PostgresCaseBook
from store.hits import HitState
from store.packages import Package, PackageState
from store.supplements import SupplementRequest, request_supplement
from store.transactions import transaction
from tests.fixtures.bench import EVENT, EXPECTED, ROLES, AbsentAuthority, Bench, images_of, overdue
from tests.integration.service.test_retention import history_of, officer_of
from tests.integration.store.messages import T0, capture, passage

pytestmark = pytest.mark.anyio

REREAD = SupplementRequest("re-read", "号牌重新识别")


async def sealed(bench: Bench, *roles: CaptureRole) -> None:
    """Have the hit sealed with images of these roles."""
    await bench.arrive(overdue(passage(1, expected=EXPECTED, profile="standard")), *images_of(*roles))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)


async def late_image(bench: Bench, sequence: int, role: CaptureRole = CaptureRole.SIDE) -> None:
    """Have an image arrive that the package was sealed without, and its statement logged."""
    device = f"cam-{role.value}"
    image = b"late %d" % sequence
    await bench.arrive(capture(sequence, device=device, role=role, image=image, match_key="m-1"))
    await bench.log()


async def supplemented(bench: Bench) -> None:
    """Run a supplement's job, the log, and the job again."""
    await supplement(bench.shop, EVENT)
    await bench.log()
    await supplement(bench.shop, EVENT)


def folder_of(bench: Bench, package: Package) -> Path:
    """Return where a package lies."""
    return bench.shop.evidence_root / package.folder


def tree(folder: Path) -> dict[str, str]:
    """Return every file's digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


async def jobs(bench: Bench) -> int:
    """Return how many jobs of supplements there are."""
    async with transaction(bench.shop.pool) as conn:
        cursor = await conn.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'supplement_hit'"
        )
        row = await cursor.fetchone()
    return row[0] if row else 0


async def test_a_late_image_makes_a_supplement_that_follows_the_package(bench: Bench) -> None:
    await sealed(bench, CaptureRole.FRONT)
    (first,) = await bench.packages()
    before = tree(folder_of(bench, first))
    assert await jobs(bench) == 0
    await late_image(bench, 1)
    assert await jobs(bench) == 1
    await supplemented(bench)
    first, second = await bench.packages()
    assert (second.supplement, second.state) == (1, PackageState.COMPLETE)
    assert second.folder == f"{first.folder}.s1"
    report = verify_package(folder_of(bench, second), bench.shop.seals.trust)
    assert report.ok, report
    assert "lies beside it" in {layer.name: layer.detail for layer in report.layers}["predecessor"]
    event = sealed_event(folder_of(bench, second))
    assert (event["predecessor"], event["answers"]) == (first.tagmanifest, [])
    assert [image["role"] for image in event["originals"]["images"]] == ["front", "side"]
    assert tree(folder_of(bench, first)) == before


async def test_a_late_image_opens_no_case_of_what_was_incomplete(bench: Bench) -> None:
    await sealed(bench, CaptureRole.FRONT)
    await late_image(bench, 1, CaptureRole.REAR)
    await supplemented(bench)
    await late_image(bench, 2, CaptureRole.SIDE)
    await supplemented(bench)
    assert [package.supplement for package in await bench.packages()] == [0, 1, 2]
    assert (await bench.state(), await bench.cases()) == (HitState.INCOMPLETE, 0)


async def test_two_late_images_at_once_make_one_supplement(bench: Bench) -> None:
    await sealed(bench, CaptureRole.FRONT)
    await asyncio.gather(
        bench.arrive(capture(1, device="cam-side", role=CaptureRole.SIDE, image=b"late side")),
        bench.arrive(capture(1, device="cam-rear", role=CaptureRole.REAR, image=b"late rear")),
    )
    await bench.log()
    assert await jobs(bench) == 2
    await asyncio.gather(*(supplement(bench.shop, EVENT) for _ in range(2)))
    await bench.log()
    await asyncio.gather(*(supplement(bench.shop, EVENT) for _ in range(2)))
    packages = await bench.packages()
    assert [(package.supplement, package.state) for package in packages] == [
        (0, PackageState.COMPLETE),
        (1, PackageState.COMPLETE),
    ]
    event = sealed_event(folder_of(bench, packages[1]))
    assert [image["role"] for image in event["originals"]["images"]] == ["front", "rear", "side"]


async def test_an_image_that_comes_while_a_supplement_is_sealed_makes_the_next_one(bench: Bench) -> None:
    await sealed(bench, CaptureRole.FRONT)
    await late_image(bench, 1, CaptureRole.REAR)
    await supplement(bench.shop, EVENT)
    await late_image(bench, 2, CaptureRole.SIDE)
    await supplement(bench.shop, EVENT)
    await bench.log()
    await supplement(bench.shop, EVENT)
    packages = await bench.packages()
    assert [package.supplement for package in packages] == [0, 1, 2]
    chain = [sealed_event(folder_of(bench, package))["predecessor"] for package in packages]
    assert chain == [None, packages[0].tagmanifest, packages[1].tagmanifest]


async def test_an_image_paired_while_the_package_was_sealed_is_not_forgotten(bench: Bench) -> None:
    await bench.arrive(
        overdue(passage(1, expected=EXPECTED, profile="standard")), *images_of(CaptureRole.FRONT)
    )
    await bench.log()
    await settle(bench.shop, EVENT)
    await late_image(bench, 1)
    await supplement(bench.shop, EVENT)
    assert len(await bench.packages()) == 1
    await bench.log()
    before = await jobs(bench)
    await complete(bench.shop, EVENT)
    assert await jobs(bench) == before + 1
    await supplemented(bench)
    assert [package.supplement for package in await bench.packages()] == [0, 1]


async def test_a_job_without_anything_new_makes_nothing(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    read = bench.engine.images
    await supplemented(bench)
    await supplemented(bench)
    assert len(await bench.packages()) == 1
    assert bench.engine.images == read


async def test_a_re_read_and_a_correction_say_what_they_answer(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    officer, service = await officer_of(bench), bench.shop.seals.keys.service
    async with transaction(bench.shop.pool) as conn:
        await ask_for_correction(conn, EVENT, "称重证书编号更正", officer=officer, service=service, now=T0)
        await request_supplement(conn, EVENT, REREAD)
    await supplemented(bench)
    await supplemented(bench)
    _, second = await bench.packages()
    corrected, reread = sealed_event(folder_of(bench, second))["answers"]
    assert (corrected["reason"], corrected["note"]) == ("correction", "称重证书编号更正")
    assert reread == REREAD._asdict()
    told = await history_of(bench)
    assert told.ok, told
    (act,) = [chapter for chapter in told.chapters if chapter.what == "correction"]
    assert (act.officer, act.licence, act.envelope_sha256) == ("O1", "L-2", corrected["act"])
    assert act.corrects in {chapter.envelope_sha256 for chapter in told.chapters}
    assert bench.engine.images == 6
    assert (await bench.state(), await bench.cases()) == (HitState.OPEN, 1)


async def test_a_correction_that_the_service_alone_seals_is_told_as_broken(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    alone = SupplementRequest("correction", "称重证书编号更正")
    with pytest.raises(psycopg.errors.CheckViolation):
        async with transaction(bench.shop.pool) as conn:
            await request_supplement(conn, EVENT, alone)
    async with transaction(bench.shop.pool) as conn:
        await conn.execute("ALTER TABLE supplement_request DROP CONSTRAINT correction_is_an_act")
        await request_supplement(conn, EVENT, alone)
    await supplemented(bench)
    assert [chapter.what for chapter in (await history_of(bench)).broken] == ["supplement"]


async def test_a_request_for_what_was_never_sealed(bench: Bench) -> None:
    async with transaction(bench.shop.pool) as conn:
        with pytest.raises(NotFound):
            await request_supplement(conn, EVENT, REREAD)


async def test_a_supplement_awaits_the_time_like_any_package(bench: Bench) -> None:
    await sealed(bench, CaptureRole.FRONT)
    await late_image(bench, 1)
    absent = bench.shop._replace(seals=bench.shop.seals._replace(authority=AbsentAuthority()))
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            await supplement(absent, EVENT)
    assert [package.state for package in await bench.packages()][1] is PackageState.AWAITING_TIME
    await supplemented(bench)
    assert [package.state for package in await bench.packages()] == [PackageState.COMPLETE] * 2


class Killed(Exception):
    """Stands for a kill: everything not committed is gone."""


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (supplementing, "keep_reading"),
        (supplementing, "build_package"),
        (supplementing, "stamp"),
        (supplementing, "finish"),
    ],
)
async def test_a_supplement_cut_off_between_two_steps_is_taken_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, module: object, step: str
) -> None:
    await sealed(bench, CaptureRole.FRONT)
    await late_image(bench, 1)

    async def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, step, killed)
        if step == "finish":
            await supplement(bench.shop, EVENT)
            await bench.log()
        with pytest.raises(Killed):
            await supplement(bench.shop, EVENT)
    await supplemented(bench)
    await supplemented(bench)
    packages = await bench.packages()
    assert [(package.supplement, package.state) for package in packages] == [
        (0, PackageState.COMPLETE),
        (1, PackageState.COMPLETE),
    ]
    assert verify_package(folder_of(bench, packages[1]), bench.shop.seals.trust).ok
    assert sorted(path.name for path in bench.shop.evidence_root.glob("EV-*")) == [
        package.folder for package in packages
    ]


async def test_nobody_is_shown_what_is_not_sealed_yet_and_a_decision_names_the_supplement(
    bench: Bench,
) -> None:
    await sealed(bench, *ROLES)
    await late_image(bench, 2, CaptureRole.PANORAMA)
    await supplement(bench.shop, EVENT)

    async def shown() -> tuple[int, dict[str, str]]:
        async with transaction(bench.shop.pool) as conn:
            seen = await exhibit(conn, EVENT, T0)
            book = PostgresCaseBook(conn)
            cursor = await conn.execute("SELECT case_id FROM case_file")
            row = await cursor.fetchone()
            assert row is not None
            assert seen is not None
            digests = await book.on_screen(await book.case(CaseId(row[0])))
        return sum(one.in_evidence for one in seen.captures), dict(digests)

    images, before = await shown()
    assert (images, "supplement-1" in before) == (3, False)
    await bench.log()
    await supplement(bench.shop, EVENT)
    images, after = await shown()
    _, second = await bench.packages()
    assert (images, after["supplement-1"]) == (4, second.tagmanifest)
    assert after["reading"] != before["reading"]


async def _swapped(bench: Bench, packages: list[Package]) -> None:
    """Put another event's bytes in the predecessor's place."""
    (folder_of(bench, packages[0]) / "tagmanifest-sha256.txt").write_bytes(b"other\n")


async def _resealed(bench: Bench, packages: list[Package]) -> None:
    shutil.rmtree(folder_of(bench, packages[0]))
    shutil.copytree(folder_of(bench, packages[1]), folder_of(bench, packages[0]))


@pytest.mark.parametrize("attack", [_swapped, _resealed])
async def test_a_predecessor_exchanged_behind_the_supplements_back(
    bench: Bench, attack: Callable[[Bench, list[Package]], Awaitable[None]]
) -> None:
    await sealed(bench, CaptureRole.FRONT)
    await late_image(bench, 1)
    await supplemented(bench)
    packages = await bench.packages()
    await attack(bench, packages)
    report = verify_package(folder_of(bench, packages[1]), bench.shop.seals.trust)
    assert report.broken == ("predecessor",)


def test_the_command_asks_for_a_supplement_of_what_is_sealed_only(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHICHAO_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHICHAO_DATA", str(tmp_path))
    command = ["evidence", "supplement", EVENT, "--note", "号牌重新识别", "--reason"]
    unsigned = CliRunner().invoke(main, [*command, "correction"])
    assert (unsigned.exit_code, "needs --officer" in unsigned.output) == (2, True)
    command.append("re-read")
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 1
    assert "no package of the event" in refused.output
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO package (event_id, state, folder, tagmanifest, envelope, complete) "
            "VALUES (%s, 'complete', 'EV-1', 'ab', '', true)",
            [EVENT],
        )
        assert CliRunner().invoke(main, command).exit_code == 0
        asked = conn.execute("SELECT event_id, reason, note, supplement FROM supplement_request").fetchall()
        deferred = conn.execute("SELECT task_name, args ->> 'event_id' FROM procrastinate_jobs").fetchall()
    assert asked == [(EVENT, "re-read", "号牌重新识别", None)]
    assert deferred == [("supplement_hit", EVENT)]


async def test_a_late_clip_makes_one_supplement_and_no_second_one(bench: Bench) -> None:
    await sealed(bench, *ROLES)
    await late_image(bench, 7, CaptureRole.CLIP)
    for _ in range(3):
        await supplemented(bench)
    _, second = await bench.packages()
    event = sealed_event(folder_of(bench, second))
    assert len(event["originals"]["video"]) == 1
    assert verify_package(folder_of(bench, second), bench.shop.seals.trust).ok
