"""What is known of a message's own signature: whether its device made it, and under which key."""

import base64
import binascii
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from domain.ids import DeviceId, StationId


class SignatureState(StrEnum):
    """What the check of a message's signature found."""

    VALID = "valid"
    ABSENT = "absent"
    """The message carries none."""
    UNKNOWN_KEY = "unknown-key"
    """It names no key, or one that was not registered for its device at the time of capture."""
    INVALID = "invalid"
    """It does not hold under the key it names: other bytes were signed, or by another key."""


class SignaturePolicy(StrEnum):
    """What a registered device's messages must carry."""

    REQUIRED = "required"
    """Always a valid signature: also while no key of the device is in force."""
    IF_KEYED = "if-keyed"
    """A valid signature on all that is received since its first key began: taking it off gains nothing."""
    OPTIONAL = "optional"
    """Unsigned messages are taken, and marked so; a signature that does not hold is refused all the same."""


def _ed25519(text: str) -> str:
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != 32:
        raise ValueError("is not base64 of the 32 bytes of an Ed25519 public key")
    return text


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceKey(_Model):
    """A device's public key as registered: for what is captured from `valid_from` until before `valid_to`."""

    station: StationId
    device: DeviceId
    key_id: str
    ed25519: Annotated[str, AfterValidator(_ed25519)]
    """Base64 of the 32 bytes."""
    valid_from: AwareDatetime
    valid_to: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    """From then on nothing received counts: whoever has the key may write any time of capture."""

    @property
    def public_key(self) -> bytes:
        """The raw key, 32 bytes (RFC 8032)."""
        return base64.b64decode(self.ed25519)


class DeviceSignature(_Model):
    """What was found of a message's signature when it arrived."""

    state: SignatureState
    key_id: str | None = None
    """The key the message names."""
    key: DeviceKey | None = None
    """The key as it was registered then, where the signature is valid."""


UNSIGNED = DeviceSignature(state=SignatureState.ABSENT)
