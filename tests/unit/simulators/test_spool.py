"""The spool's promises: nothing fsynced is lost, no number is used twice, receipts drop exactly."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import ConflictingChange
from simulators.spool import Spool
from simulators.wire import Draft
from tests.counts import count

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def passage(number: int) -> list[Draft]:
    """Return a small passage: a record and two captures."""
    return [
        Draft("wim-1", "weigh", AT, "application/json", f"record {number}".encode()),
        Draft("cam-front", "capture", AT, "image/jpeg", bytes([number]) * 9),
        Draft("cam-rear", "capture", AT, "image/jpeg", bytes([number]) * 3),
    ]


def contents(spool: Spool) -> list[tuple[str, int, bytes]]:
    """Return all that is pending."""
    return [(key[0], key[1], spool.read(key).body) for key in spool.pending]


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    with Spool(tmp_path, "S1", "first") as spool:
        for number in range(3):
            spool.append(passage(number))
        before = contents(spool)
    with Spool(tmp_path, "S1", "another") as spool:
        assert (spool.epoch, spool.next_passage) == ("first", 3)
        assert contents(spool) == before
        assert [key for key in spool.pending if key[0] == "wim-1"] == [
            ("wim-1", 1),
            ("wim-1", 2),
            ("wim-1", 3),
        ]
        assert spool.append(passage(3))[0].sequence == 4


def test_truncated_at_every_byte_it_keeps_every_whole_passage(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    ends, states = [], []
    with Spool(whole, "S1", "epoch") as spool:
        path = whole / "S1.spool"
        ends.append(path.stat().st_size)
        states.append((contents(spool), spool.next_passage))
        for number in range(2):
            spool.append(passage(number)[:2])
            ends.append(path.stat().st_size)
            states.append((contents(spool), spool.next_passage))
        spool.drop("wim-1", "epoch", [(1, 1)])
        ends.append(path.stat().st_size)
        states.append((contents(spool), spool.next_passage))
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        torn = tmp_path / "torn"
        torn.mkdir(exist_ok=True)
        (torn / "S1.spool").write_bytes(data[:cut])
        with Spool(torn, "S1", "new") as spool:
            survived = sum(end <= cut for end in ends)
            if survived == 0:
                assert (spool.epoch, len(spool)) == ("new", 0)
                continue
            assert spool.epoch == "epoch"
            assert (contents(spool), spool.next_passage) == states[survived - 1]
            if cut % count(1, reduced=9):
                continue
            spool.append(passage(9))
            reopened = contents(spool)
        with Spool(torn, "S1", "new") as spool:
            assert contents(spool) == reopened


def test_a_damaged_byte_costs_no_more_than_what_follows_it(tmp_path: Path) -> None:
    with Spool(tmp_path, "S1", "epoch") as spool:
        spool.append(passage(0))
        first = contents(spool)
        end = (tmp_path / "S1.spool").stat().st_size
        spool.append(passage(1))
    data = bytearray((tmp_path / "S1.spool").read_bytes())
    data[end + 20] ^= 1
    (tmp_path / "S1.spool").write_bytes(data)
    with Spool(tmp_path, "S1", "new") as spool:
        assert (contents(spool), spool.next_passage) == (first, 1)


def test_a_receipt_drops_exactly_what_it_names(tmp_path: Path) -> None:
    rng = random.Random(4)
    with Spool(tmp_path, "S1", "epoch") as spool:
        for number in range(20):
            spool.append(passage(number))
        for _ in range(30):
            device = rng.choice(["wim-1", "cam-front", "cam-rear"])
            first = rng.randint(0, 22)
            spans = [(first, first + rng.randint(0, 2)), (30, 40)]
            expected = [
                key
                for key in spool.pending
                if key[0] != device or not any(low <= key[1] <= high for low, high in spans)
            ]
            gone = len(spool) - len(expected)
            assert spool.drop(device, "epoch", spans) == gone
            assert list(spool.pending) == expected
        left = contents(spool)
    with Spool(tmp_path, "S1", "new") as spool:
        assert contents(spool) == left


def test_a_receipt_of_another_epoch_drops_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path, "S1", "epoch") as spool:
        spool.append(passage(0))
        assert spool.drop("wim-1", "elsewhere", [(1, 9)]) == 0
        assert len(spool) == 3


def test_compaction_keeps_pending_messages_and_never_reuses_a_number(tmp_path: Path) -> None:
    with Spool(tmp_path, "S1", "epoch") as spool:
        for number in range(4):
            spool.append(passage(number))
        for device in ("wim-1", "cam-front"):
            spool.drop(device, "epoch", [(1, 4)])
        spool.drop("cam-rear", "epoch", [(1, 3)])
        size = (tmp_path / "S1.spool").stat().st_size
        spool.compact()
        assert (tmp_path / "S1.spool").stat().st_size < size
        assert contents(spool) == [("cam-rear", 4, b"\x03" * 3)]
    with Spool(tmp_path, "S1", "new") as spool:
        assert (spool.epoch, spool.next_passage) == ("epoch", 4)
        assert [message.sequence for message in spool.append(passage(4))] == [5, 5, 5]


def test_two_processes_cannot_share_a_spool(tmp_path: Path) -> None:
    with Spool(tmp_path, "S1", "epoch"), pytest.raises(ConflictingChange, match="open in another process"):
        Spool(tmp_path, "S1", "epoch")


def test_the_numbers_peeked_at_are_the_numbers_given(tmp_path: Path) -> None:
    with Spool(tmp_path, "S1", "epoch") as spool:
        drafts = [*passage(0), *passage(1)]
        peeked = spool.peek(drafts)
        assert [message.sequence for message in spool.append(drafts)] == peeked == [1, 1, 1, 2, 2, 2]


def test_a_long_feed_does_not_fill_the_disk(tmp_path: Path) -> None:
    """With something always pending, the file still stays within bounds."""
    large = Draft("cam-front", "capture", AT, "image/jpeg", bytes(4 * 2**20))
    sizes = []
    with Spool(tmp_path, "S1", "epoch") as spool:
        for number in range(24):
            spool.append([large])
            spool.drop("cam-front", "epoch", [(number, number)])
            assert len(spool) == 1
            sizes.append((tmp_path / "S1.spool").stat().st_size)
        assert spool.next_passage == 24
    assert max(sizes) < 80 * 2**20
    assert sizes[-1] < sizes[-10], "it was compacted on the way"
