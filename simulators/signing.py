"""The stations' own signatures, from docs/reference/mqtt.md and nothing else.

The keys follow from the devices' names, so that registry and station agree without a file between them:
whoever reads this can sign as any simulated device.
"""

import base64
import hashlib
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from simulators.wire import JSON, SCHEMA, Message

KEY_ID = "simulated-1"


def public_key_text(station: str, device: str) -> str:
    """Return a device's public key in base64, as the registry takes it."""
    return base64.b64encode(_key(station, device).public_key().public_bytes_raw()).decode()


def signed(message: Message) -> Message:
    """Return the message with its device's signature; the time of sending is not part of it."""
    header = message.header | {"key_id": KEY_ID}
    signature = _key(message.station, message.device).sign(_lines(message, header))
    return replace(message, header=header | {"signature": base64.b64encode(signature).decode()})


def signed_status(station: str, device: str, body: bytes) -> Message:
    """Return a status with its header, which is there for the signature only."""
    header = {"schema": SCHEMA, "station": station, "device": device}
    return signed(Message(station, device, "status", "", 0, header, JSON, body))


def unsigned(message: Message) -> Message:
    """Return the message as it is."""
    return message


def _lines(message: Message, header: dict[str, str]) -> bytes:
    body = hashlib.sha256(message.body).hexdigest()
    named = "".join(f"{name}={header[name]}\n" for name in sorted(header))
    return f"zhichao-device-message/1\ntopic={message.topic}\nbody_sha256={body}\n{named}".encode()


def _key(station: str, device: str) -> Ed25519PrivateKey:
    seed = hashlib.sha256(f"zhichao simulated device, no secret/{station}/{device}".encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)
