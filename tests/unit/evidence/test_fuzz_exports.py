"""Exports and packages whose parts are flipped, or signed with the right keys and shaped wrongly.

Nothing here ends otherwise than in reports that can be printed; each test counts what its examples came to.
"""

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.acts import ActKind
from domain.errors import ConfigurationError
from domain.ids import sha256_of
from evidence import Policy, Report, Trust, as_json, as_text, build, trust_bytes, verify_package
from evidence.acts import sign_act
from evidence.checkpoint import TlogProof, cosignature, proof_text
from evidence.device import LENGTH_BYTES
from evidence.dsse import Envelope, sign_envelope
from evidence.exported import verify_export
from evidence.exported.folder import ACT_FILE, STATEMENTS
from evidence.masked_copies import COPIES, LIST, write_copies
from evidence.package import WireItem
from evidence.parsing import canonical_json
from evidence.report import VERIFIED
from tests.components import find
from tests.counts import count
from tests.fixtures.evidence import Deployment, contents, originals_of
from tests.fixtures.second_opinion import failing, opinion, trust_of
from tests.unit.evidence.shapes import SLOW, json_bytes, signable, variants
from tests.unit.evidence.test_exported import COPY, LI, Export, exported

Broken = tuple[str, ...]


def an_export(deployment: Deployment, folder: Path, *, masked: bool) -> Export:
    """A package, or masked copies of its image, handed over by LI with a review and what was captured."""
    made = exported(deployment, folder, originals_of(contents(5)))
    review = replace(made.act, digests=made.act.digests[1:], detail={"verdict": "confirmed"})
    if masked:
        package, digest = made.act.subject, made.act.digests[1][1]
        shutil.rmtree(folder / package)
        write_copies(folder / "new", package, digest, [COPY])
        for one in (folder / "new").iterdir():
            one.rename(folder / one.name)
        (folder / "new").rmdir()
        copied = (f"{COPIES}/{COPY.view.name}", sha256_of(COPY.view.data))
        made = made._replace(act=replace(made.act, digests=(*made.act.digests, copied)))
    made.add_key(LI)
    made.add("review", sign_act(review, LI, deployment.keys.service).envelope)
    return made.hand_over(kind=ActKind.DISCLOSURE if masked else ActKind.EXPORT)


def printed(reports: list[Report]) -> bool:
    """Whether all of them hold; each can be written down."""
    assert all(as_text(one) and json.loads(as_json(one)) for one in reports)
    return all(one.status == VERIFIED for one in reports)


def flips(files: list[Path], most: int) -> Iterator[Path]:
    """Flip a bit in each of so many bytes, one after another, of all files but as they were afterwards."""
    every = [(file, at) for file in files for at in range(file.stat().st_size)]
    rng = random.Random(7)
    for file, at in rng.sample(every, min(most, len(every))):
        good = file.read_bytes()
        file.write_bytes(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :])
        yield file
        file.write_bytes(good)


@pytest.mark.parametrize("masked", [False, True])
def test_a_bit_flipped_anywhere_in_an_export_is_seen(
    deployment: Deployment, tmp_path: Path, masked: bool
) -> None:
    made = an_export(deployment, tmp_path / "export", masked=masked)
    untouched = verify_export(made.folder, deployment.trust)
    assert printed(untouched), as_text(untouched[-1])
    files = [one for one in made.folder.rglob("*") if one.is_file()]
    for file in flips(files, count(3_000, reduced=80)):
        assert not printed(verify_export(made.folder, deployment.trust)), file


def test_a_bit_flipped_in_a_statement_or_its_proof_is_seen_though_an_officer_signs_for_it(
    deployment: Deployment, tmp_path: Path
) -> None:
    """The sums and the act that hands it over are of the altered folder."""
    made = an_export(deployment, tmp_path / "export", masked=True)
    files = sorted((made.folder / STATEMENTS).iterdir())
    for file in flips(files, count(3_000, reduced=80)):
        made.hand_over(kind=ActKind.DISCLOSURE)
        assert not printed(verify_export(made.folder, deployment.trust)), file


@pytest.mark.parametrize("what", ["officer-key", "captures", "review", "act", "list"])
def test_an_export_signed_with_right_keys_and_of_any_shape_gets_reports(
    deployment: Deployment, tmp_path: Path, what: str
) -> None:
    """Each statement is in the log, and all is listed and handed over, but one part has another shape."""
    made, service = an_export(deployment, tmp_path / "export", masked=True), deployment.keys.service
    ends: Counter[Broken] = Counter()
    file = {"act": made.folder / ACT_FILE, "list": made.folder / LIST}.get(what)
    file = file or next((made.folder / STATEMENTS).glob(f"*-{what}.dsse.json"))
    before = file.read_bytes()
    good = json.loads(before) if what == "list" else Envelope.parse(before).statement

    @SLOW
    @given(document=signable(good))
    def fuzz(document: dict[str, Any]) -> None:
        if what == "list":
            file.write_bytes(canonical_json(document))
            made.hand_over(kind=ActKind.DISCLOSURE)
        elif what == "act":
            file.write_bytes(sign_envelope(document, LI, service))
        else:
            signers = {"officer-key": (service, LI), "captures": (service,), "review": (LI, service)}[what]
            name = made.add(what, sign_envelope(document, *signers))
            stem = name.removesuffix(".dsse.json")
            for old in (made.folder / STATEMENTS).glob(f"*-{what}.*"):
                if not old.name.startswith(stem):
                    old.unlink()
            made.hand_over(kind=ActKind.DISCLOSURE)
        reports = verify_export(made.folder, deployment.trust)
        printed(reports)
        ends[(*reports[-1].broken, *reports[-1].not_checked)] += 1

    fuzz()
    assert len(ends) > 1, ends
    assert sum(ends.values()) > ends[()], ends


def test_a_package_whose_statement_has_any_shape_gets_a_verdict(deployment: Deployment) -> None:
    """Signed with the service's key, time-stamped and logged: only the layer that reads it can refuse."""
    built = build(deployment.evidence, contents(1))
    good = Envelope.parse(deployment.signed(built)[0]).statement
    ends: Counter[Broken] = Counter()

    @SLOW
    @given(document=signable(good))
    def fuzz(document: dict[str, Any]) -> None:
        envelope = sign_envelope(document, deployment.keys.service)
        shutil.rmtree(deployment.evidence / built.folder / "seal", ignore_errors=True)
        folder = deployment.seal_built(built, signed=(envelope, deployment.authority.stamp(envelope)))
        report = deployment.verify(folder)
        printed([report])
        ends[report.broken] += 1
        assert report.broken or _without_summary(document) == _without_summary(good)

    fuzz()
    assert {(), ("statement",)} == set(ends), ends


def _without_summary(statement: dict[str, Any]) -> Any:
    """A statement without what it says for the reader's convenience only."""
    named = {name: statement["predicate"].get(name) for name in ("event_id", "supplement", "predecessor")}
    return statement | {"predicate": named}


HEADER = {
    "schema": "1",
    "station": "S1",
    "device": "wim-1",
    "epoch": "e0",
    "seq": "1",
    "captured_at": "2026-03-20T08:30:00.250000Z",
}


def test_a_package_of_a_message_with_any_header_in_its_frame_gets_a_verdict(deployment: Deployment) -> None:
    """The frame is part of the payload as received: nobody has looked into it before it is sealed."""
    ends: Counter[str] = Counter()

    @SLOW
    @given(header=variants(HEADER))
    @example(header=HEADER)
    @example(header=HEADER | {"epoch": "\ud800"})
    @example(header=HEADER | {"station": "\ud800", "seq": "9" * 19})
    def fuzz(header: dict[str, Any]) -> None:
        frame, parts = json_bytes(header), contents(1)
        payload = len(frame).to_bytes(LENGTH_BYTES, "big") + frame + b'{"match_key":"1"}'
        wire = WireItem("weigh.json", payload, "zhichao/v1/S1/wim-1/weigh", ())
        package = deployment.seal(replace(parts, wire=(wire,)))
        report = deployment.verify(package)
        shutil.rmtree(package)
        assert printed([report])
        ends[next(one.detail for one in report.layers if one.name == "device")] += 1

    fuzz()
    assert len(ends) > 1, ends


LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def test_a_head_witnessed_at_any_time_gets_a_verdict(sealed_world: Deployment, package: Path) -> None:
    """The witness's own key signs the time; every key's life is held against it."""
    document, proof = trust_of(sealed_world), package / "seal/inclusion.tlog-proof"
    document["services"][0] |= {"valid_from": "0001-01-01T00:00:00Z", "revoked_at": "9999-12-31T23:59:59Z"}
    trust, read = Trust.parse(trust_bytes(document)), TlogProof.parse(proof.read_bytes())
    head = read.signed.checkpoint
    note = head.sign(sealed_world.keys.log)

    @SLOW
    @given(at=st.integers(0, 2**64 - 1) | st.integers(0, LAST_SECOND))
    @example(at=LAST_SECOND)
    @example(at=2**63)
    def fuzz(at: int) -> None:
        cosigned = note + cosignature(head.text, sealed_world.keys.witness, at)
        proof.write_bytes(proof_text(read.leaf_index, read.path, cosigned))
        report = verify_package(package, trust)
        assert not printed([report])
        assert {"witness", "witness-time"} & set(report.broken)
        assert failing(opinion(package, document)) if find("openssl") else report

    fuzz()


@SLOW
@given(
    figure=st.integers(0, 2**60),
    name=st.sampled_from(["allowed_delay_s", "log_delay_s", "clock_tolerance_s"]),
)
@example(figure=2**60, name="log_delay_s")
@example(figure=100 * 366 * 86_400, name="clock_tolerance_s")
def test_a_package_is_verified_by_a_policy_of_any_figure_that_is_read(
    sealed_world: Deployment, package: Path, tmp_path: Path, figure: int, name: str
) -> None:
    (tmp_path / "policy.json").write_text(json.dumps({name: figure}))
    with suppress(ConfigurationError):
        printed([sealed_world.verify(package, policy=Policy.load(tmp_path / "policy.json"))])
