"""Demo accounts: three reviewers and a supervisor, with new random passwords each time."""

import secrets
from typing import NamedTuple

from api.auth import hash_password
from domain.errors import ConfigurationError
from store.accounts import account, add_account, set_password
from store.connection import Connection
from store.registry import RegistryFile

REVIEWERS = 3
"""Two for the rounds every case needs, one for the third round where they disagree."""


class DemoAccount(NamedTuple):
    """An account and its password of this run."""

    username: str
    role: str
    password: str


async def make_accounts(conn: Connection, registry: RegistryFile) -> list[DemoAccount]:
    """Create the demo accounts, or give the existing ones new passwords; in the caller's transaction.

    Raises
    ------
    ConfigurationError
        The registry has too few officers for the reviewers.
    """
    if len(registry.officers) < REVIEWERS:
        raise ConfigurationError(f"the demo's registry needs {REVIEWERS} officers")
    people = [
        (f"reviewer{number}", "reviewer", officer.officer_id)
        for number, officer in enumerate(registry.officers[:REVIEWERS], start=1)
    ]
    made = []
    for username, role, officer_id in [*people, ("supervisor", "supervisor", None)]:
        password = secrets.token_urlsafe(9)
        if await account(conn, username) is None:
            await add_account(
                conn,
                username=username,
                password_hash=hash_password(password),
                role=role,
                officer_id=officer_id,
                demo=True,
            )
        else:
            await set_password(conn, username, hash_password(password))
        made.append(DemoAccount(username, role, password))
    return made
