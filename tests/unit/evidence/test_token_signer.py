"""The service's key in a token: it signs there, and what goes wrong is said before anything is sealed."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError, ServiceUnavailable
from evidence import create_keys, load_keys
from evidence.signing import check_signature
from evidence.token_signer import Token, TokenSigner
from tests.fixtures.tokens import MakeKey


def test_a_token_signs_as_a_key_in_memory_would(token: Token, make_key: MakeKey) -> None:
    public_key = make_key(token, "service")
    signer = TokenSigner("example.org/service", token, "service")
    assert (signer.name, signer.public_key) == ("example.org/service", public_key)
    signature = signer.sign("云A12345".encode())
    check_signature(public_key, signature, "云A12345".encode(), "it")
    assert signer.sign("云A12345".encode()) == signature, "Ed25519 draws nothing at random"


def test_two_signers_of_one_process_share_a_token(token: Token, make_key: MakeKey) -> None:
    make_key(token, "service")
    first, second = (TokenSigner("x", token, "service") for _ in range(2))
    assert first.sign(b"m") == second.sign(b"m")
    del first
    check_signature(second.public_key, second.sign(b"n"), b"n", "it")


def test_a_token_that_was_reset_signs_again(token: Token, make_key: MakeKey) -> None:
    make_key(token, "service")
    signer = TokenSigner("x", token, "service")
    make_key(token, "other")  # starts the library anew: every session is lost
    check_signature(signer.public_key, signer.sign(b"m"), b"m", "it")


def test_a_token_that_does_not_sign_is_tried_again_later(
    token: Token, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(token, "service")
    signer = TokenSigner("x", token, "service")

    class Gone:
        """A key whose token was taken out."""

        def sign(self, *_: object, **__: object) -> bytes:
            """Fail as the library does."""
            raise RuntimeError("device removed")

    monkeypatch.setattr(signer, "_open", lambda: signer.public_key)
    monkeypatch.setattr(signer, "_key", Gone())
    with pytest.raises(ServiceUnavailable, match="device removed"):
        signer.sign(b"m")


def test_wrong_pins_labels_and_libraries_are_told_at_the_start(
    token: Token, make_key: MakeKey, tmp_path: Path
) -> None:
    make_key(token, "service")
    wrong = tmp_path / "pin"
    wrong.write_text("9999")
    wrong.chmod(0o600)
    open_to_others = tmp_path / "open"
    open_to_others.write_text("1234")
    open_to_others.chmod(0o644)
    for bad, label, why in (
        (token, "no such key", "no Ed25519 pair"),
        (token._replace(label="no such token"), "service", "no Ed25519 pair"),
        (token._replace(pin_file=tmp_path / "none"), "service", "cannot be read"),
        (token._replace(pin_file=open_to_others), "service", "chmod 600"),
        (token._replace(pin_file=wrong), "service", "no Ed25519 pair"),
        (token._replace(module=wrong), "service", "no PKCS#11 library"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            TokenSigner("x", bad, label)


def test_keys_with_the_service_key_in_a_token_have_no_file_for_it(
    token: Token, make_key: MakeKey, tmp_path: Path
) -> None:
    public_key = make_key(token, "service")

    def in_token(name: str) -> TokenSigner:
        return TokenSigner(name, token, "service")

    keys = create_keys(tmp_path / "keys", name="example.org", in_token=in_token)
    assert (keys.service.name, keys.service.public_key) == ("example.org/service", public_key)
    assert not (keys.folder / "service.pem").exists()
    create_keys(tmp_path / "other")
    with pytest.raises(ConfigurationError, match="two service keys"):
        load_keys(tmp_path / "other", in_token=in_token)
