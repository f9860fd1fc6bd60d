"""Keys of stations' devices in the trust file, so that nobody has to take them from a package.

They come from the registry, when an operator asks for it, and stay in the file as they are whenever it is
written anew for another reason: what verifiers ask of devices changes by a decision only.
"""

from pathlib import Path
from typing import Any

from domain.device_signatures import DeviceKey, SignaturePolicy
from domain.errors import ConfigurationError
from evidence import Trust, trust_bytes
from evidence.key_life import KeyLife
from evidence.parsing import loose_document_of
from service.administration import open_database
from service.settings import Settings
from store.connection import Connection
from store.registry import device_keys, known_devices

DEVICES = "devices"


def devices_listed(trust_file: Path) -> dict[str, Any]:
    """Return the member of a trust file that lists devices; none where it lists none or cannot be used."""
    try:
        data = trust_file.read_bytes()
        Trust.parse(data)
    except (OSError, ConfigurationError):
        return {}
    document = loose_document_of(data, "the trust file")
    return {DEVICES: document[DEVICES]} if DEVICES in document else {}


async def devices_registered(settings: Settings) -> dict[str, Any]:
    """Return that member as the registry has it; errors as `open_database`."""
    async with open_database(settings) as conn:
        return await devices_entries(conn)


async def devices_entries(conn: Connection) -> dict[str, Any]:
    """Return that member as the registry has it; a device that need not sign is left out."""
    known = await known_devices(conn)
    signing = [name for name, one in known.items() if one.signature is not SignaturePolicy.OPTIONAL]
    keys = await device_keys(conn, signing)
    return {DEVICES: [_entry(key) for name in sorted(keys) for key in keys[name]]}


async def trust_with_devices(settings: Settings) -> bytes:
    """Return the trust file as it is, but with the registered devices' keys.

    Raises
    ------
    ConfigurationError
        There is no trust file that can be used, or a key is registered that cannot be one.
    """
    Trust.load(settings.trust_path)
    document = loose_document_of(settings.trust_path.read_bytes(), "the trust file")
    content = trust_bytes(document | await devices_registered(settings))
    Trust.parse(content)
    return content


def _entry(key: DeviceKey) -> dict[str, Any]:
    life = KeyLife(key.valid_from, key.valid_to, key.revoked_at)
    return {"station": key.station, "device": key.device, "ed25519": key.ed25519, **life.members()}
