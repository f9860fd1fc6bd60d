"""The witness as a process of its own: every answer of c2sp.org/tlog-witness, and a log that waits for it."""

import asyncio
import hashlib
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence import COSIGNATURE, ED25519, KeySigner, TransparencyLog, VerifierKey
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.cosigning import AddCheckpoint, NotAContinuation, OtherSizeRemembered, SplitView
from evidence.merkle import consistency_proof, fold, root
from evidence.parsing import base64_text
from evidence.remote_witness import RemoteWitness
from evidence.witness import Witness
from evidence.witness_keys import create_witness_key
from service.cli import main
from service.witness_process import WitnessOptions, application, arguments_of, options_of, witnesses_of
from tests.fixtures.witness import listening
from tests.integration.service.running import free_port

LOG = KeySigner("test.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))
LOG_KEY = VerifierKey.of(LOG, ED25519)
STRANGER = KeySigner("stranger.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([4] * 32)))
IMPOSTOR = KeySigner("test.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes([3] * 32)))


def leaves(size: int, salt: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{salt}{number}".encode()).digest() for number in range(size)]


def head(size: int, salt: str = "", *, signer: KeySigner = LOG) -> bytes:
    found = leaves(size, salt)
    nodes = lambda level, index: fold(found[index << level : (index + 1) << level])  # noqa: E731
    return Checkpoint(signer.name, size, root(size, nodes)).sign(signer)


def proof(old_size: int, size: int, salt: str = "") -> list[bytes]:
    found = leaves(size, salt)
    return consistency_proof(
        old_size, size, lambda level, index: fold(found[index << level : (index + 1) << level])
    )


@pytest.fixture
def options(tmp_path: Path) -> WitnessOptions:
    """Return what a witness with a new key is run with."""
    create_witness_key(tmp_path / "keys", "example.net/witness")
    return WitnessOptions(tmp_path / "keys", tmp_path / "state", (LOG_KEY,), port=free_port())


@pytest.fixture
def witness_key(options: WitnessOptions) -> VerifierKey:
    """Return the witness's published key."""
    runner = CliRunner().invoke(main, ["witness", "key", "--keys", str(options.keys)])
    return VerifierKey.parse(runner.stdout.strip())


@contextmanager
def connected(options: WitnessOptions) -> Iterator[http.client.HTTPConnection]:
    """Run the witness and connect to it."""
    with listening(options):
        connection = http.client.HTTPConnection(options.host, options.port, timeout=20)
        yield connection
        connection.close()


def posted(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, str, bytes]:
    connection.request("POST", "/add-checkpoint", body)
    response = connection.getresponse()
    return response.status, response.headers["Content-Type"], response.read()


def request(old_size: int, path: list[bytes], note: bytes) -> bytes:
    lines = [f"old {old_size}", *map(base64_text, path)]
    return "\n".join(lines).encode() + b"\n\n" + note


def test_each_answer_of_the_specification(options: WitnessOptions, witness_key: VerifierKey) -> None:
    with connected(options) as witness:
        status, _, lines = posted(witness, request(0, [], head(5)))
        assert status == 200
        SignedCheckpoint.parse(head(5) + lines).check_witness(witness_key)
        assert posted(witness, request(5, proof(5, 9), head(9)))[0] == 200
        # the same head again, as after an answer that was lost
        assert posted(witness, request(9, [], head(9)))[0] == 200
        # 409 with the size remembered, whatever other size the proof begins at
        for old in (0, 5):
            answer = posted(witness, request(old, proof(old, 12), head(12)))
            assert answer == (409, "text/x.tlog.size", b"9\n")
        status, kind, _ = posted(witness, request(9, [], head(9, "other")))
        assert (status, kind != "text/x.tlog.size") == (409, True)
        assert posted(witness, request(9, proof(9, 12, "other"), head(12, "other")))[0] == 422
        assert posted(witness, request(9, proof(9, 12)[1:], head(12)))[0] == 422
        assert posted(witness, request(9, [], head(8)))[0] == 400
        assert posted(witness, request(9, proof(9, 12), head(12, signer=IMPOSTOR)))[0] == 403
        assert posted(witness, request(0, [], head(12, signer=STRANGER)))[0] == 404
        # and none of these moved it
        assert posted(witness, request(9, proof(9, 12), head(12)))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        request(0, [], b""),
        request(0, [], head(5)[:-1]),
        b"old 00\n\n" + head(5),
        b"old -1\n\n" + head(5),
        b"old  0\n\n" + head(5),
        b"0\n\n" + head(5),
        b"new 0\n\n" + head(5),
        b"old 0\r\n\r\n" + head(5),
        b"old 0\nAAAA\n\n" + head(5),
        request(0, [bytes(32)] * 64, head(5)),
        b"old 0\n\n\n" + head(5),
        b"\xff\n\n" + head(5),
    ],
)
def test_a_malformed_request_is_refused(options: WitnessOptions, body: bytes) -> None:
    with connected(options) as witness:
        assert posted(witness, body)[0] == 400
    assert witnesses_of(options)[LOG.name].remembered_size() == 0


def test_other_addresses_methods_and_sizes_are_refused(options: WitnessOptions) -> None:
    with connected(options) as witness:
        witness.request("GET", "/add-checkpoint")
        response = witness.getresponse()
        assert (response.status, response.headers["Allow"], bool(response.read())) == (405, "POST", True)
        witness.request("POST", "/checkpoint", head(5))
        response = witness.getresponse()
        assert (response.status, bool(response.read())) == (404, True)
        assert posted(witness, bytes(100_000))[0] == 413


@pytest.mark.anyio
async def test_a_request_that_does_not_end_is_given_up(options: WitnessOptions) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"o", "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/add-checkpoint"}
    await application(witnesses_of(options), body_within_s=0.05)(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_damaged_head_is_no_empty_one(options: WitnessOptions) -> None:
    """A witness that cannot read what it remembers must not begin anew."""
    with connected(options) as witness:
        assert posted(witness, request(0, [], head(5)))[0] == 200
        (kept,) = options.state.glob("*/head")
        kept.write_bytes(b"")
        assert posted(witness, request(0, [], head(5)))[0] == 500


def test_a_log_is_cosigned_from_afar(
    options: WitnessOptions, witness_key: VerifierKey, tmp_path: Path
) -> None:
    with listening(options) as url:
        log = TransparencyLog(tmp_path / "log", LOG, RemoteWitness(url, [witness_key]))
        for size in (1, 3, 300):
            log.append(leaves(size, "more"))
        SignedCheckpoint.parse(log.checkpoint_note).check_witness(witness_key)


def test_a_witness_away_makes_the_log_wait_and_loses_nothing(
    options: WitnessOptions, witness_key: VerifierKey, tmp_path: Path
) -> None:
    witness = RemoteWitness(f"http://{options.host}:{options.port}", [witness_key], timeout_s=5)
    with listening(options):
        log = TransparencyLog(tmp_path / "log", LOG, witness)
        log.append(leaves(3))
        before = log.checkpoint_note
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        log.append(leaves(4, "later"))
    assert log.checkpoint_note == before
    with pytest.raises(ServiceUnavailable):
        TransparencyLog(tmp_path / "log", LOG, witness)
    with listening(options):
        again = TransparencyLog(tmp_path / "log", LOG, witness)
        assert again.leaf_hashes(0, again.size) == leaves(3) + leaves(4, "later")
        again.append(leaves(2, "last"))
    SignedCheckpoint.parse(again.checkpoint_note).check_witness(witness_key)


def test_an_answer_that_was_lost_is_asked_for_again(
    options: WitnessOptions, witness_key: VerifierKey, tmp_path: Path
) -> None:
    """The witness has remembered the head, but the log never saw the cosignature."""
    away = RemoteWitness(f"http://127.0.0.1:{free_port()}", [witness_key], timeout_s=5)
    log = TransparencyLog(tmp_path / "log", LOG, away)
    with pytest.raises(ServiceUnavailable):
        log.append(leaves(6))
    pending = (tmp_path / "log/checkpoint.pending").read_bytes()
    witnesses_of(options)[LOG.name].cosign(pending, 0, [])
    with listening(options) as url:
        again = TransparencyLog(tmp_path / "log", LOG, RemoteWitness(url, [witness_key]))
    assert again.size == 6
    SignedCheckpoint.parse(again.checkpoint_note).check_witness(witness_key)


def test_what_the_witness_refuses_reaches_the_log(options: WitnessOptions, witness_key: VerifierKey) -> None:
    with listening(options) as url:
        remote = RemoteWitness(url, [witness_key])
        remote.cosign(head(5), 0, [])
        with pytest.raises(SplitView):
            remote.cosign(head(5, "other"), 5, [])
        with pytest.raises(NotAContinuation):
            remote.cosign(head(9, "other"), 5, proof(5, 9, "other"))
        with pytest.raises(OtherSizeRemembered) as other:
            remote.cosign(head(9), 3, proof(3, 9))
        assert other.value.size == 5
        with pytest.raises(ServiceUnavailable, match="this log's key"):
            remote.cosign(head(9, signer=STRANGER), 0, [])


def test_a_cosignature_by_another_key_does_not_count(options: WitnessOptions) -> None:
    other = KeySigner("example.net/witness", Ed25519PrivateKey.from_private_bytes(bytes([9] * 32)))
    with listening(options) as url:
        remote = RemoteWitness(url, [VerifierKey.of(other, COSIGNATURE)])
        with pytest.raises(ServiceUnavailable, match="not in the trust file"):
            remote.cosign(head(5), 0, [])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n\r\nnothing", b"garbage\r\n\r\n"])
def test_an_answer_that_is_none_is_asked_for_again_later(witness_key: VerifierKey, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        remote = RemoteWitness(f"http://127.0.0.1:{server.getsockname()[1]}", [witness_key], timeout_s=0.2)
        if said:
            remote = RemoteWitness(_answering(server, said), [witness_key], timeout_s=5)
        with pytest.raises(ServiceUnavailable):
            remote.cosign(head(5), 0, [])


def test_a_cosignature_that_does_not_hold_is_not_taken(
    options: WitnessOptions, witness_key: VerifierKey
) -> None:
    """Of the right key by its id, over another head: whoever sits between the two could send it."""
    other = witnesses_of(options)[LOG.name].cosign(head(4, "other"), 0, [])
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(other) + other
    with socket.create_server(("127.0.0.1", 0)) as server:
        remote = RemoteWitness(_answering(server, said), [witness_key], timeout_s=5)
        with pytest.raises(ServiceUnavailable, match="no usable answer: the cosignature"):
            remote.cosign(head(5), 0, [])


def _answering(server: socket.socket, said: bytes) -> str:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(said)

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("url", ["ftp://w", "http://", "w", "http://w?x", "http://w:99999"])
def test_an_address_that_is_none(witness_key: VerifierKey, url: str) -> None:
    with pytest.raises(ConfigurationError):
        RemoteWitness(url, [witness_key])


def test_the_process_is_run_with_the_options_it_was_given(options: WitnessOptions) -> None:
    assert options_of(arguments_of(options)) == options


def test_a_witness_without_logs_does_not_start(options: WitnessOptions) -> None:
    with pytest.raises(ConfigurationError, match="published key"):
        witnesses_of(options._replace(logs=()))


def test_each_log_has_a_folder_of_its_own(options: WitnessOptions) -> None:
    both = witnesses_of(options._replace(logs=(LOG_KEY, VerifierKey.of(STRANGER, ED25519))))
    both[LOG.name].cosign(head(5), 0, [])
    both[STRANGER.name].cosign(head(7, signer=STRANGER), 0, [])
    assert [both[name].remembered_size() for name in (LOG.name, STRANGER.name)] == [5, 7]


def test_init_makes_a_private_key_and_prints_the_published_one(tmp_path: Path) -> None:
    arguments = ["witness", "init", "--keys", str(tmp_path / "w"), "--name", "example.net/w"]
    made = CliRunner().invoke(main, arguments)
    assert made.exit_code == 0
    assert VerifierKey.parse(made.stdout.strip()).kind == COSIGNATURE
    assert (tmp_path / "w/witness.pem").stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 78
    assert "never overwritten" in again.stderr


def test_a_request_is_read_as_it_was_written() -> None:
    body = request(5, proof(5, 9), head(9))
    assert bytes(AddCheckpoint.parse(body)) == body


def test_a_restarted_witness_remembers(options: WitnessOptions) -> None:
    with connected(options) as witness:
        posted(witness, request(0, [], head(5)))
    with connected(options) as witness:
        assert posted(witness, request(0, [], head(7)))[:2] == (409, "text/x.tlog.size")


def test_a_witness_of_another_folder_is_not_this_one(options: WitnessOptions, tmp_path: Path) -> None:
    signer = create_witness_key(tmp_path / "other", "example.net/other")
    Witness(tmp_path / "state2", signer, LOG_KEY).cosign(head(5), 0, [])
    with pytest.raises(EvidenceBroken, match="another log"):
        Witness(tmp_path / "state2", signer, VerifierKey.of(STRANGER, ED25519)).remembered_size()
