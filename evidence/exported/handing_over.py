"""The act that hands an export out: an officer's, about these very files, with a key that counts."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken, ServiceUnavailable
from domain.ids import Sha256, sha256_of
from evidence.acts import RegisteredKey, check_act
from evidence.dsse import MAX_SIGNATURES, Envelope
from evidence.exported.folder import ACT_FILE, SUMS, events_of, read
from evidence.exported.statements import check_signer
from evidence.masked_copies import LIST, read_copies
from evidence.package import TAG_MANIFEST
from evidence.trust import Trust


class Handed(NamedTuple):
    """What the act that hands the folder out must say."""

    kind: ActKind
    events: set[str]
    digests: dict[str, Sha256]

    def check_packages(self, act: Act) -> None:
        """Check that the packages which a statement names by digest are those handed out."""
        for name, digest in act.digests:
            package, _, file = name.partition("/")
            if file != TAG_MANIFEST:
                continue
            # Masked copies are of the latest package; the passage's earlier ones are named, and not here.
            elsewhere = self.kind is ActKind.DISCLOSURE and events_of([package]) == self.events
            if self.digests.get(name, digest if elsewhere else None) != digest:
                raise EvidenceBroken(
                    f"it names the package {package}, which is not handed out here as it was"
                )


def handed_in(folder: Path, packages: list[Path]) -> Handed:
    """Return what the act must say; what cannot be read is told by the layer of its own."""
    with suppress(EvidenceBroken, OSError):
        if packages or not (folder / LIST).exists():
            manifests = {
                f"{one.name}/{TAG_MANIFEST}": sha256_of(read(one / TAG_MANIFEST)) for one in packages
            }
            return Handed(ActKind.EXPORT, events_of(one.name for one in packages), manifests)
        copies = read_copies(folder)
        package = {f"{copies.package}/{TAG_MANIFEST}": copies.tagmanifest}
        return Handed(ActKind.DISCLOSURE, events_of([copies.package]), copies.digests | package)
    return Handed(ActKind.EXPORT, events_of(one.name for one in packages), {})


def check_handing_over(folder: Path, officers: dict[str, RegisteredKey], trust: Trust, handed: Handed) -> str:
    """Check the act that hands the folder out.

    Raises
    ------
    EvidenceBroken
        It is no officer's, of other files or another passage, or signed with a key that had ended.
    ServiceUnavailable
        Whether a key counted then cannot be told from the folder.
    """
    services = [service.public_key for service in trust.services]
    envelope = read(folder / ACT_FILE)
    act = check_act(envelope, None, officers=officers, services=services)
    signatures = Envelope.parse(envelope).signatures
    if len(signatures) < MAX_SIGNATURES:
        raise EvidenceBroken("the service alone signed it; an officer hands evidence over")
    key = officers[signatures[0].key_id]
    check_signer(act, key)
    if key.ended_at is not None:
        raise EvidenceBroken(
            f"the key of officer {act.officer} had ended, at entry {key.ended_at} of the log"
        )
    named = {SUMS: sha256_of(read(folder / SUMS)), **handed.digests}
    if dict(act.digests) != named or act.kind != handed.kind:
        raise EvidenceBroken("the officer handed over other files than these")
    if {act.event} != handed.events:
        raise EvidenceBroken("the officer handed over another passage than this")
    _check_countersigner(signatures[1].key_id, trust)
    return f"handed over by officer {act.officer} to {act.detail.get('recipient')}; its own entry comes later"


def _check_countersigner(key_id: str, trust: Trust) -> None:
    """Call it not checked where the service's key has ended: no entry of the act is here to date it."""
    service = next(one for one in trust.services if one.key_id == key_id)
    end = trust.life_of(service.public_key).end
    if end is not None:
        raise ServiceUnavailable(
            f"the service key {key_id[:16]}... has ended, at {end.isoformat()}, and nothing here shows that "
            "this was signed before; ask for a newer export"
        )
