"""One passage from the roadside to a confirmed case: sealed, seen by two officers, verified by anybody."""

import asyncio
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.installation import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

STATION = "SIM-K2310"
PASSAGES = 12
"""A third to a half of this scenario's vehicles are overloaded."""


class _Forms(HTMLParser):
    """The forms of a page: by action, the fields a browser would send unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Begin a form, or note a hidden field of the form at hand."""
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and given.get("type") == "hidden" and self.forms:
            self.forms[-1][1][given["name"]] = given["value"]


def form_of(page: str, action: str, **fields: str) -> dict[str, str]:
    """Return the hidden fields of the page's form with this action and these values among them."""
    parser = _Forms()
    parser.feed(page)
    found = [form for where, form in parser.forms if where == action and fields.items() <= form.items()]
    assert len(found) == 1, f"{len(found)} forms for {action} {fields}"
    return found[0]


async def _confirm(client: httpx.AsyncClient, case_id: str, plate: str) -> str:
    """Claim a case and confirm it as a person does, by the page's own forms; return the answer's text."""
    here = f"/cases/{case_id}"
    looked = await client.get(here)
    claimed = await client.post(f"{here}/claim", data=form_of(looked.text, f"{here}/claim"))
    assert claimed.status_code == 303, claimed.text
    page = (await client.get(here)).text
    confirmation = form_of(page, f"{here}/decision", verdict="confirm")
    decided = await client.post(
        f"{here}/decision", data=confirmation | {"plate": plate}, follow_redirects=True
    )
    assert decided.status_code == 200, decided.text
    return decided.text


async def _verify(path: Path, trust: Path) -> tuple[int, str]:
    """Run `zhichao evidence verify`; return its exit status and what it said."""
    command = ("-m", "service.cli", "evidence", "verify", str(path), "--trust", str(trust))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def _flagged(installation: Installation) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let vehicles pass until one is a case; return the case and the truth about its vehicle."""
    sent = await installation.play(
        "three-stations", name="officers", passages=PASSAGES, rate=6, station=STATION
    )
    flagged = [event for event, entry in sent.items() if entry["oracle"]["outcome"] == "overloaded"]
    assert flagged
    await installation.settle(flagged)
    cases = await installation.cases("supervisor")
    event = next(event for event in flagged if event in cases)
    return cases[event], sent[event]


async def test_a_passage_becomes_a_confirmed_case_whose_package_anybody_can_verify(
    installation: Installation, tmp_path: Path
) -> None:
    case, truth = await _flagged(installation)
    case_id = case["case_id"]
    async with installation.signed_in("reviewer1") as first, installation.signed_in("reviewer2") as second:
        queue = (await first.get("/queue", params={"station": STATION})).text
        assert f"/cases/{case_id}" in re.findall(r'href="([^"]+)"', queue)
        await _confirm(first, case_id, truth["plate"])
        again = (await first.get(f"/cases/{case_id}")).text
        assert f"/cases/{case_id}/claim" not in again, "one officer may not review twice"
        unseen = (await second.get(f"/cases/{case_id}")).text
        assert "SIM-ZF-" not in unseen, "the second officer must not see that, or what, the first decided"
        await _confirm(second, case_id, truth["plate"])
        decided = (await second.get(f"/api/v1/cases/{case_id}")).json()
    assert (decided["state"], decided["plate"]) == ("confirmed", truth["plate"])
    assert [review["officer_id"] for review in decided["reviews"]] == ["SIM-OFFICER-1", "SIM-OFFICER-2"]
    await installation.system.until(
        "SELECT count(logged_at) = 2 FROM log_outbox WHERE kind = 'decision' AND subject = %s",
        case_id,
    )
    await _check_package(installation, case, tmp_path)


async def _check_package(installation: Installation, case: dict[str, Any], folder: Path) -> None:
    """The sealed package verifies by the command; a copy with one bit changed anywhere does not."""
    package, trust = installation.package(case), installation.system.settings.trust_path
    status, said = await _verify(package, trust)
    assert status == 0, said
    files = sorted(path.relative_to(package) for path in package.rglob("*") if path.is_file())
    image = next(path for path in files if path.parent.name == "images")
    for changed in (image, Path("data/event.json"), Path("bagit.txt")):
        copy = folder / changed.name
        shutil.copytree(package, copy)
        _flip_a_bit(copy / changed)
        status, said = await _verify(copy, trust)
        assert status == 1, f"{changed} was changed, and: {said}"
        shutil.rmtree(copy)


def _flip_a_bit(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
