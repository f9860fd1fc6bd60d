"""Blobs: durable before they are named, never changed, checked when read."""

import os
from pathlib import Path

import pytest

from domain.errors import EvidenceBroken, NotFound, ServiceUnavailable
from domain.ids import Sha256, sha256_of
from store.blobs import BlobStore


def test_what_was_put_is_got(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digest = blobs.put(b"image")
    assert digest == sha256_of(b"image")
    assert blobs.get(digest) == b"image"
    assert blobs.path(digest) == tmp_path / "blobs" / "sha256" / digest[:2] / digest[2:4] / digest
    assert blobs.put(b"image") == digest
    assert [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [digest]


def test_content_is_synced_before_it_has_its_name_and_its_name_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        steps.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name[:5]}")
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append(f"rename {self.name[:5]}")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    digest = BlobStore(tmp_path / "blobs").put(b"image")
    assert steps[-3:] == ["fsync .new-", "rename .new-", f"fsync {digest[2:4]}"]
    # The names of the folders themselves are synced too, outermost first.
    assert steps[:-3] == [f"fsync {tmp_path.name[:5]}", "fsync blobs", "fsync sha25", f"fsync {digest[:2]}"]


def test_a_blob_another_writer_just_renamed_is_synced_before_it_is_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = BlobStore(tmp_path), BlobStore(tmp_path)
    digest = first.put(b"image")
    second.put(b"image")
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    )
    second.put(b"image")
    assert synced == [str(first.path(digest).parent)]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(ServiceUnavailable, match="No space left"):
        BlobStore(tmp_path).put(b"image")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_changed_blob_is_not_handed_out(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    digest = blobs.put(b"image")
    blobs.path(digest).write_bytes(b"forged")
    with pytest.raises(EvidenceBroken, match=digest):
        blobs.get(digest)


def test_a_missing_blob_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        BlobStore(tmp_path).get(Sha256("0" * 64))
