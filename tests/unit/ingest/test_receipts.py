"""Receipts name exactly what is committed: no gap is bridged, nothing is left out."""

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.refusals import RefusalCode
from ingest.arrivals import Refusal, Settled
from ingest.receipts import ranges, receipts
from tests.counts import count
from tests.unit.ingest.samples import NOW

EXAMPLES = settings(max_examples=count(10_000, reduced=1_000), deadline=None, derandomize=True)

settled = st.builds(
    Settled,
    station=st.sampled_from(["S1", "S2"]),
    device=st.sampled_from(["wim-1", "cam-1"]),
    epoch=st.sampled_from(["e0", "e1"]),
    sequence=st.none() | st.integers(0, 30) | st.just(2**63 - 1),
    refusal=st.none() | st.just(Refusal(RefusalCode.OUT_OF_RANGE, "gross_kg is -5")),
)
forged = st.builds(
    Settled,
    station=st.just("S1"),
    device=st.just("wim-1"),
    epoch=st.just("e0"),
    sequence=st.integers(0, 30),
    refusal=st.just(Refusal(RefusalCode.SIGNATURE_INVALID, "the signature does not hold")),
    proven=st.just(False),
)


@EXAMPLES
@given(st.lists(st.integers(0, 60) | st.integers(0, 2**63 - 1)))
def test_ranges_hold_the_same_numbers_in_the_fewest_pieces(numbers: list[int]) -> None:
    found = ranges(numbers)
    for number in numbers:
        assert sum(first <= number <= last for first, last in found) == 1
    assert sum(last - first + 1 for first, last in found) == len(set(numbers))
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))


@EXAMPLES
@given(st.lists(settled | forged, max_size=60))
def test_receipts_name_what_is_settled_and_nothing_else(batch: list[Settled]) -> None:
    named: set[tuple[str, str, str, int]] = set()
    for receipt in receipts(batch, at=NOW):
        body: dict[str, Any] = json.loads(receipt.payload)
        _, _, station, device, kind = receipt.topic.split("/")
        assert (kind, body["schema"], body["at"]) == ("receipt", 1, "2026-11-23T08:00:05.000000Z")
        numbers = {n for first, last in body["ranges"] for n in range(first, last + 1)}
        for refusal in body["refused"]:
            assert (refusal["seq"] in numbers) != (refusal["code"] == "signature-invalid")
        named |= {(station, device, body["epoch"], number) for number in numbers}
    assert named == {
        (one.station, one.device, one.epoch, one.sequence)
        for one in batch
        if one.sequence is not None and one.proven
    }


def test_a_refusal_travels_with_its_reason() -> None:
    refusal = Refusal(RefusalCode.UNKNOWN_DEVICE, "设备未登记")
    (receipt,) = receipts([Settled("S1", "wim-1", "e0", 12, refusal)], at=NOW)
    assert json.loads(receipt.payload) == {
        "schema": 1,
        "epoch": "e0",
        "ranges": [[12, 12]],
        "refused": [{"seq": 12, "code": "unknown-device", "detail": "设备未登记"}],
        "at": "2026-11-23T08:00:05.000000Z",
    }


def test_what_cannot_be_named_gets_no_receipt() -> None:
    assert receipts([Settled(None, None, None, None), Settled("S1", "wim-1", None, 3)], at=NOW) == []
