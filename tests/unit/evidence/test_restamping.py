"""The authority's certificate ends: what it stamped before, and what the next one stamps over it."""

from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import EvidenceBroken
from evidence import LocalTestAuthority, Trust, create_keys, trust_bytes, trust_file, verify_package
from evidence.audit import Auditor
from evidence.authority_life import check_living_token
from evidence.head_stamps import newest_token, stamp_heads, stamped_by
from evidence.keys import load_certificate
from evidence.log_copy import copy_at
from evidence.timestamp import certificate_in
from tests.fixtures.evidence import KEYS_MADE_AT, Deployment, contents

TEN_YEARS = timedelta(days=3650)
"""How long the certificates of a test authority are valid."""


def test_an_expired_authority_and_a_head_stamped_by_the_next_one(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Old packages hold by tokens of their own time; the next authority's head covers their entries too."""
    package, log = deployment.seal(contents(1)), deployment.folder / "log"
    leaf = (package / "seal/entry.sha256").read_bytes()
    stamp_heads(log, deployment.authority, deployment.now.date())

    next_keys = create_keys(tmp_path / "next", made_at=KEYS_MADE_AT + TEN_YEARS - timedelta(days=90))
    roots = [deployment.keys.tsa_root, next_keys.tsa_root]
    trust = Trust.parse(trust_bytes(trust_file(deployment.keys, tsa_roots=roots)))
    deployment.now = KEYS_MADE_AT + TEN_YEARS - timedelta(days=30)
    authority = LocalTestAuthority(tmp_path / "next", clock=lambda: deployment.now)
    stamp_heads(log, authority, deployment.now.date())
    head, token = log / "heads" / f"{deployment.now.date()}.checkpoint", newest_token(log)
    assert token is not None
    assert certificate_in(token) == load_certificate(tmp_path / "next" / "tsa.crt")

    deployment.now = KEYS_MADE_AT + TEN_YEARS + timedelta(days=1)
    with pytest.raises(EvidenceBroken):
        check_living_token(deployment.authority.stamp(leaf), leaf, trust)
    assert check_living_token(token, head.read_bytes(), trust).stamp.made_at < deployment.now
    assert verify_package(package, trust).ok
    report = Auditor(copy_at(str(log)), trust).audit(full=True)
    assert report.status == 0, report
    assert "2 of 2 days checked" in report.checks[-1].detail

    # The old authority is not believed any more at all: the next one's head still dates the entry.
    alone = Trust.parse(trust_bytes(trust_file(deployment.keys, tsa_roots=[next_keys.tsa_root])))
    assert stamped_by(log, leaf, 0, alone) == check_living_token(
        token, head.read_bytes(), alone
    ).stamp.made_at + timedelta(seconds=1)
    assert not verify_package(package, alone).ok
    assert stamped_by(log, leaf + b"x", 0, trust) is None
