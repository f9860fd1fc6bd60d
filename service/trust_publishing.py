"""The trust file is written by command only, and each one's digest is stated in the log before it is.

So whoever has a trust file can prove when it was published, and nobody can later say that another one was.
The first one, made with the keys when nothing is logged yet, is stated when it is written again by command.
"""

from datetime import datetime

from domain.ids import Sha256, sha256_of
from evidence import statement_leaf
from evidence.durable import replace
from evidence.statements import sign_trust_file
from service.administration import open_database
from service.keys import keys_of
from service.settings import Settings
from store.key_statements import TRUST_FILE, keep_key_statement


async def publish_trust(settings: Settings, content: bytes, *, now: datetime) -> Sha256:
    """State a trust file's digest on its way into the log, then write it; return the digest.

    A file that was stated before is not stated again. Errors as `open_database`; nothing is written then.
    """
    digest = sha256_of(content)
    envelope = sign_trust_file(digest, keys_of(settings).service, at=now)
    async with open_database(settings) as conn:
        await keep_key_statement(
            conn,
            key_id=digest,
            what="rotation",
            role=TRUST_FILE,
            envelope=envelope,
            leaf=statement_leaf(envelope),
        )
    replace(settings.trust_path, content)
    return digest
