"""Whether the witness apart answers, knows this log, and signs with the key of the trust file."""

from domain.errors import ZhichaoError
from evidence.checkpoint import SignedCheckpoint
from evidence.cosigning import OtherSizeRemembered
from evidence.durable import read_regular
from evidence.log_copy import CHECKPOINT, MAX_NOTE_BYTES
from evidence.remote_witness import RemoteWitness
from service.checks.finding import Finding, fine, wrong
from service.keys import remote_witness_keys
from service.settings import Settings

_ADVICE = "docs/how-to/run-a-witness.md says what each answer means; until it cosigns, the log waits"


def ask_witness(settings: Settings) -> list[Finding]:
    """Have the published head cosigned once more: it changes nothing, and takes all a new one takes."""
    if settings.witness_url is None or not (settings.log_root / CHECKPOINT).exists():
        return []
    try:
        note = read_regular(settings.log_root / CHECKPOINT, max_bytes=MAX_NOTE_BYTES)
        size = SignedCheckpoint.parse(note).checkpoint.size
        witness = RemoteWitness(settings.witness_url, remote_witness_keys(settings))
        witness.cosign(note, size, [])
    except OtherSizeRemembered as other:
        if other.size < size:
            return [
                fine(
                    "witness", f"answers; it remembers {other.size} entries of {size}, and goes on from there"
                )
            ]
        # Perhaps the log has just grown; the sequencer refuses to go on if it has not.
        return [fine("witness", f"answers; it has seen {other.size} entries")]
    except ZhichaoError as error:
        return [wrong("witness", str(error), _ADVICE)]
    return [fine("witness", f"answers, and has seen this log at {size} entries")]
