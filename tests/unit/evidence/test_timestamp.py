"""Time stamps: what a token must be over, under whom, and how an authority may fail."""

import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc3161_client
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence import HttpAuthority, KeySet, LocalTestAuthority, check_token, create_keys
from tests.components import require
from tests.counts import count
from tests.fixtures.evidence import KEYS_MADE_AT

MOMENT = datetime(2026, 3, 20, 8, 30, 0, 900_000, tzinfo=UTC)
DATA = b"the envelope"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeySet:
    """Keys with the test authority's certificates."""
    return create_keys(tmp_path_factory.mktemp("tsa") / "keys", made_at=KEYS_MADE_AT)


@pytest.fixture(scope="module")
def token(keys: KeySet) -> bytes:
    """A token over DATA."""
    return LocalTestAuthority(keys.folder, clock=lambda: MOMENT).stamp(DATA)


def test_a_token_says_when_how_exactly_and_by_whom(keys: KeySet, token: bytes) -> None:
    stamp = check_token(token, DATA, (keys.tsa_root,))
    assert stamp.made_at == MOMENT.replace(microsecond=0)
    assert stamp.accuracy == timedelta(seconds=1)
    assert "TEST" in stamp.authority
    assert "NOT FOR EVIDENCE" in stamp.authority


def test_rfc3161_client_verifies_the_token(keys: KeySet, token: bytes) -> None:
    response = rfc3161_client.decode_timestamp_response(token)
    verifier = rfc3161_client.VerifierBuilder(roots=[keys.tsa_root]).build()
    assert verifier.verify_message(response, DATA)
    assert response.tst_info.version == 1


def test_two_tokens_have_two_serial_numbers(keys: KeySet) -> None:
    authority = LocalTestAuthority(keys.folder, clock=lambda: MOMENT)
    serials = {
        rfc3161_client.decode_timestamp_response(authority.stamp(DATA)).tst_info.serial_number
        for _ in range(20)
    }
    assert len(serials) == 20


def test_token_over_other_bytes(keys: KeySet, token: bytes) -> None:
    with pytest.raises(EvidenceBroken, match="other bytes"):
        check_token(token, DATA + b"!", (keys.tsa_root,))


def test_token_of_an_authority_that_is_not_trusted(token: bytes, tmp_path: Path) -> None:
    stranger = create_keys(tmp_path / "keys", made_at=KEYS_MADE_AT)
    with pytest.raises(EvidenceBroken, match="does not hold"):
        check_token(token, DATA, (stranger.tsa_root,))
    with pytest.raises(EvidenceBroken, match="no time-stamp authority"):
        check_token(token, DATA, ())


@pytest.mark.parametrize("when", [KEYS_MADE_AT - timedelta(days=2), KEYS_MADE_AT + timedelta(days=3700)])
def test_token_from_when_the_certificate_was_not_valid(keys: KeySet, when: datetime) -> None:
    token = LocalTestAuthority(keys.folder, clock=lambda: when).stamp(DATA)
    with pytest.raises(EvidenceBroken, match="does not hold"):
        check_token(token, DATA, (keys.tsa_root,))


def test_token_with_bytes_after_it(keys: KeySet, token: bytes) -> None:
    with pytest.raises(EvidenceBroken):
        check_token(token + b"\0", DATA, (keys.tsa_root,))


def test_a_flipped_token_is_refused_or_says_the_same(keys: KeySet, token: bytes) -> None:
    """Tokens are malleable, but no flip may change what a token says and still hold."""
    told = check_token(token, DATA, (keys.tsa_root,))
    for place in range(len(token)):
        for bit in (1, 16, 128):
            flipped = token[:place] + bytes([token[place] ^ bit]) + token[place + 1 :]
            try:
                assert check_token(flipped, DATA, (keys.tsa_root,)) == told
            except EvidenceBroken:
                continue


@settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)
@given(made=st.binary(max_size=300) | st.tuples(st.integers(0, 1000), st.binary(max_size=8)))
def test_any_bytes_are_refused_without_a_traceback(
    keys: KeySet, token: bytes, made: bytes | tuple[int, bytes]
) -> None:
    data = made if isinstance(made, bytes) else token[: made[0]] + made[1] + token[made[0] + len(made[1]) :]
    try:
        check_token(data, DATA, (keys.tsa_root,))
    except EvidenceBroken:
        return
    assert len(data) == len(token)


Answer = Callable[[bytes], tuple[int, bytes]]


@contextmanager
def authority_at(answer: Answer) -> Iterator[str]:
    """Serve an authority on a free port of the loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, reply = answer(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def openssl_authority(keys: KeySet, folder: Path, openssl: str) -> Answer:
    """Answer requests with `openssl ts -reply`, an authority independent of ours."""
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ndefault_policy=1.2.3.4\ndigests=sha256\n"
        "signer_digest=sha256\naccuracy=secs:1\ness_cert_id_alg=sha256\n"
    )

    def answer(body: bytes) -> tuple[int, bytes]:
        (folder / "request.tsq").write_bytes(body)
        command = [
            openssl,
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-section",
            "t",
            "-queryfile",
            "request.tsq",
        ]
        command += ["-signer", str(keys.folder / "tsa.crt"), "-inkey", str(keys.folder / "tsa.pem")]
        done = subprocess.run([*command, "-out", "reply.tsr"], cwd=folder, capture_output=True, check=True)
        assert done.returncode == 0
        return 200, (folder / "reply.tsr").read_bytes()

    return answer


def test_an_authority_over_http(keys: KeySet, tmp_path: Path) -> None:
    answer = openssl_authority(keys, tmp_path, require("openssl"))
    with authority_at(answer) as url:
        token = HttpAuthority(url).stamp(DATA)
    stamp = check_token(token, DATA, (keys.tsa_root,))
    assert abs(stamp.made_at - datetime.now(UTC)) < timedelta(minutes=10)


def test_an_authority_that_replays_an_old_answer(keys: KeySet, tmp_path: Path) -> None:
    answer = openssl_authority(keys, tmp_path, require("openssl"))
    replies: list[tuple[int, bytes]] = []

    def first_answer_again(body: bytes) -> tuple[int, bytes]:
        replies.append(answer(body))
        return replies[0]

    with authority_at(first_answer_again) as url:
        HttpAuthority(url).stamp(DATA)
        with pytest.raises(ServiceUnavailable, match="nonce"):
            HttpAuthority(url).stamp(DATA)
        with pytest.raises(ServiceUnavailable, match="other bytes"):
            HttpAuthority(url).stamp(b"something else")


@pytest.mark.parametrize(
    ("status", "reply", "why"),
    [
        (500, b"", "500"),
        (200, b"", "no usable answer"),
        (200, b"<html>", "no usable answer"),
        (200, bytes.fromhex("30053003020102"), "no usable answer"),
        (200, bytes(70_000), "answered over"),
    ],
)
def test_an_authority_in_trouble(status: int, reply: bytes, why: str) -> None:
    with authority_at(lambda _: (status, reply)) as url, pytest.raises(ServiceUnavailable, match=why):
        HttpAuthority(url).stamp(DATA)


def test_an_authority_that_is_not_there() -> None:
    with authority_at(lambda _: (200, b"")) as url:
        pass
    with pytest.raises(ServiceUnavailable, match="did not answer"):
        HttpAuthority(url, timeout_s=2).stamp(DATA)


def test_only_http_addresses_are_taken() -> None:
    with pytest.raises(ConfigurationError, match="http"):
        HttpAuthority("file:///etc/passwd")
