"""SM3: the vectors of GB/T 32905-2016, and the second manifest over the same files."""

import hashlib
from pathlib import Path

from evidence import build
from evidence.bag import parse_manifest
from evidence.digests import sm3_of, sm3_of_file
from evidence.package import MANIFEST, SM3_MANIFEST, TAG_MANIFEST
from tests.fixtures.evidence import Deployment, contents

# GB/T 32905-2016, appendix A: "abc", and "abcd" sixteen times: a whole block, so that padding makes another.
VECTORS = {
    b"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    b"abcd" * 16: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
}


def test_the_vectors_of_the_standard(tmp_path: Path) -> None:
    for number, (data, digest) in enumerate(VECTORS.items()):
        (tmp_path / str(number)).write_bytes(data)
        assert sm3_of(data) == digest
        assert sm3_of_file(tmp_path / str(number)) == digest


def test_a_file_of_several_blocks_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = hashlib.shake_128(b"some").digest(2_500_000)
    (tmp_path / "large").write_bytes(data)
    assert sm3_of_file(tmp_path / "large") == sm3_of(data)


def test_both_manifests_name_the_same_files_each_with_its_digest(tmp_path: Path) -> None:
    folder = tmp_path / build(tmp_path, contents()).folder
    sha256 = parse_manifest((folder / MANIFEST).read_bytes(), MANIFEST)
    sm3 = parse_manifest((folder / SM3_MANIFEST).read_bytes(), SM3_MANIFEST)
    assert sha256.keys() == sm3.keys()
    for path, digest in sm3.items():
        data = (folder / path).read_bytes()
        assert (sm3_of(data), hashlib.sha256(data).hexdigest()) == (digest, sha256[path])


def test_the_tag_manifest_lists_the_sm3_manifest(sealed_world: Deployment, package: Path) -> None:
    """Whoever changes or takes away the second manifest breaks the tag manifest, asked for or not."""
    assert SM3_MANIFEST in parse_manifest((package / TAG_MANIFEST).read_bytes(), TAG_MANIFEST)
    text = (package / SM3_MANIFEST).read_bytes()
    (package / SM3_MANIFEST).write_bytes(text.replace(b"a", b"b", 1))
    assert "tag-manifest" in sealed_world.verify(package).broken
    (package / SM3_MANIFEST).unlink()
    assert "tag-manifest" in sealed_world.verify(package).broken
