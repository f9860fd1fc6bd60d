"""What the service hands to the web: one frozen bag of everything `create_app` needs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from anyio import CapacityLimiter

from api.turns import Turns
from cases.penalty import Words
from cases.ports import SealReport
from domain.acts import Act, SignedAct
from domain.ids import Sha256
from store.accounts import Account
from store.connection import Connection, Pool
from store.officer_keys import StoredKey
from store.transactions import transaction

DATABASE_WAIT_S = 5.0
"""How long a request waits for a connection before it is answered with 503."""

MAX_BIGINT = 2**63 - 1
"""The largest number the database can compare a row's own number with."""
PASSWORDS_AT_ONCE = 2
"""How many passwords are tried at the same time: each takes 64 MiB and a processor."""


class Difference(Protocol):
    """One place where a package says something else than follows from it."""

    @property
    def path(self) -> str: ...
    @property
    def decided(self) -> Any: ...
    @property
    def recomputed(self) -> Any: ...


class RecomputedStep(Protocol):
    """One step of a package's computation, done again."""

    @property
    def title(self) -> Words: ...
    @property
    def explanation(self) -> Words: ...
    @property
    def decided(self) -> Words: ...
    @property
    def recomputed(self) -> Words: ...
    @property
    def equal(self) -> bool: ...
    @property
    def differences(self) -> Sequence[Difference]: ...


class TableUsed(Protocol):
    """A table of law that was computed by."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def published(self) -> bool: ...


class Recomputed(Protocol):
    """A package computed again, as `service.recomputation` tells it."""

    @property
    def equal(self) -> bool: ...
    @property
    def steps(self) -> Sequence[RecomputedStep]: ...
    @property
    def tables(self) -> Sequence[TableUsed]: ...
    @property
    def algorithms(self) -> dict[str, str]: ...


class Blobs(Protocol):
    """Where images and waveforms lie."""

    def path(self, digest: Sha256, /) -> Path:
        """Return where the bytes of this digest lie, whether they are there or not."""

    def get(self, digest: Sha256, /) -> bytes:
        """Return the bytes, checked against the digest; raises `NotFound` or `EvidenceBroken`."""


class OpenKey(Protocol):
    """An officer's signing key, open for one request."""

    @property
    def key_id(self) -> Sha256: ...

    def lock_with_token(self, token: str) -> bytes:
        """Return the key as only this session's token opens it."""


class OfficerKeys(Protocol):
    """What signs for officers with their own keys, as `service.officer_keys` does."""

    async def by_password(
        self,
        begin: Callable[[], AbstractAsyncContextManager[Connection]],
        account: Account,
        password: str,
        now: datetime,
    ) -> OpenKey:
        """Open the key with a password that was found right; make one where there is none."""

    def by_token(self, stored: StoredKey, token: str) -> OpenKey:
        """Open the key that was locked for a session; raises `NotPermitted`."""

    def sign(self, act: Act, key: Any) -> SignedAct:
        """Sign an act with an officer's open key, or None, and countersign it for the service."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Everything the web works with.

    `verify` is `evidence.verify.verify_package` with its trust bound; it reads files and is run in a
    thread. `officer_keys` opens officers' keys and signs with them. `recompute` computes a package's folder
    again; it takes a second, in a thread too.
    """

    pool: Pool
    blobs: Blobs
    evidence_root: Path
    verify: Callable[[Path], SealReport]
    officer_keys: OfficerKeys
    recompute: Callable[[Path], Recomputed]
    version: str
    demo: bool = False
    """Whether demo accounts may sign in; never true under plain `serve`."""
    secure_cookies: bool = False
    """Set where the web is reached by HTTPS: cookies then never travel without it."""
    session_length: timedelta = timedelta(hours=12)
    ready_checks: Sequence[Callable[[], str | None]] = ()
    """Each returns None or what is not ready, for /readyz."""
    now: Callable[[], datetime] = field(default=utc_now)
    hashing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(PASSWORDS_AT_ONCE))
    """Turns at trying a password."""
    computing: Turns = field(default_factory=lambda: Turns(1, wait_s=10.0, work_s=30.0))
    """Turns at computing a package again: a second of processor each."""
    verifying: Turns = field(default_factory=lambda: Turns(4, wait_s=10.0, work_s=30.0))
    """Turns at verifying a package."""
    signing: Turns = field(default_factory=lambda: Turns(8, wait_s=5.0, work_s=15.0))
    """Turns at signing an act."""
    drawing: Turns = field(default_factory=lambda: Turns(2, wait_s=10.0, work_s=30.0))
    """Turns at drawing a waveform."""
    packing: Turns = field(default_factory=lambda: Turns(4, wait_s=30.0, work_s=30.0))
    """Turns at reading a piece of a package that is handed out."""

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Give a connection as `store.transactions.transaction` does, waiting `DATABASE_WAIT_S` at most."""
        return transaction(self.pool, timeout_s=DATABASE_WAIT_S)
