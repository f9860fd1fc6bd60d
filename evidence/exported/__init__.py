"""An export checked from its files alone: packages, statements, officers' keys and the act that hands it out.

What the folder holds is told in `service.exporting`. An officer's act is believed by the rules of
`evidence.acts`, with keys from the officer-key statements in the folder itself: each is signed by a service
key of the trust file and proved to stand in the log. That no key had ended at a time when the folder shows
none ending is what the exporting officer signs for; the log's auditor sees it.

A disclosure of masked copies (`evidence.masked_copies`) is checked alike, but for packages: it holds none.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from domain.acts import ActKind
from domain.errors import EvidenceBroken, ServiceUnavailable
from evidence.acts import RegisteredKey, check_act
from evidence.dsse import MAX_SIGNATURES, Envelope
from evidence.exported.folder import ACT_FILE, HISTORY, STATEMENTS, SUMS, check_sums, packages_in
from evidence.exported.handing_over import Handed, check_handing_over, handed_in
from evidence.exported.originals import (
    check_copied,
    check_corrections,
    check_originals,
    claims_in,
    corrections_in,
)
from evidence.exported.statements import (
    KEY_STATEMENTS,
    Statement,
    check_entry,
    check_signer,
    officers_in,
    statements_of,
)
from evidence.masked_copies import COPIES, LIST, read_copies
from evidence.policy import Policy
from evidence.report import NOT_CHECKED, Layer, Report
from evidence.statements import CAPTURES, KEYS, check_statement
from evidence.trust import Trust
from evidence.verify import verify_package
from evidence.verify.inspection import printable

__all__ = ["is_export", "verify_export"]


def is_export(folder: Path) -> bool:
    """Say whether a folder is an export, and no package."""
    return (folder / SUMS).exists() or (folder / ACT_FILE).exists()


def verify_export(folder: Path, trust: Trust, *, policy: Policy | None = None) -> list[Report]:
    """Return each package's report, and last the export's own; raises nothing on content."""
    packages = packages_in(folder)
    reports = [verify_package(one, trust, policy=policy) for one in packages]
    layers = [Layer(one.package, one.ok, _told(one), checked=one.status != NOT_CHECKED) for one in reports]
    try:
        statements = statements_of(folder)
    except (EvidenceBroken, OSError) as error:
        statements = []
        layers.append(Layer(STATEMENTS, False, printable(str(error))))
    officers, handed = officers_in(statements, trust), handed_in(folder, packages)
    layers.append(_layer(SUMS, lambda: check_sums(folder)))
    layers += _content(folder, packages, statements, officers, trust)
    layers += [_layer(one.name, partial(_check, one, officers, trust, handed)) for one in statements]
    layers.append(_layer(ACT_FILE, lambda: check_handing_over(folder, officers, trust, handed)))
    layers.append(
        Layer(
            HISTORY,
            False,
            "not checked: it is the exporter's word, and statements may be missing from the folder; "
            "the log's auditor can tell",
            required=False,
            checked=False,
        )
    )
    return [*reports, Report(printable(folder.name), trust.digest, layers)]


def _layer(name: str, check: Callable[[], str]) -> Layer:
    try:
        return Layer(printable(name), True, printable(check()))
    except (EvidenceBroken, OSError) as error:
        return Layer(printable(name), False, printable(str(error)))
    except ServiceUnavailable as error:
        return Layer(printable(name), False, f"not checked: {error}", checked=False)


def _told(report: Report) -> str:
    broken = ", ".join(report.broken) or ", ".join(report.not_checked)
    return f"see its own report: {broken}" if broken else "every required layer holds"


def _content(
    folder: Path,
    packages: list[Path],
    statements: list[Statement],
    officers: dict[str, RegisteredKey],
    trust: Trust,
) -> Iterator[Layer]:
    """Hold what is handed out against the statements beside it: packages, or the masked copies of one."""
    claims = claims_in(statements, trust)
    if not packages and (folder / LIST).exists():
        yield _layer(COPIES, lambda: _check_copies(folder))
        yield _layer("originals", lambda: check_copied(folder, claims))
    corrections = corrections_in(statements, officers, trust)
    for one in packages:
        yield _layer(f"originals of {one.name}", partial(check_originals, one, claims))
        yield _layer(f"corrections of {one.name}", partial(check_corrections, one, corrections))


def _check_copies(folder: Path) -> str:
    copies = read_copies(folder)
    return (
        f"{len(copies.digests)} masked copies of images of {copies.package}: derived views, no package and "
        "no original; whether they show what the originals show cannot be told without the package"
    )


def _check(one: Statement, officers: dict[str, RegisteredKey], trust: Trust, handed: Handed) -> str:
    """Check one statement: who signed it, that it is of this passage, and its entry in the log."""
    services = [service.public_key for service in trust.services]
    if one.what in KEY_STATEMENTS or one.what == "captures":
        check_statement(one.envelope, services, CAPTURES if one.what == "captures" else KEYS)
        return f"signed by the service; {check_entry(one, trust)}"
    act = check_act(one.envelope, one.leaf_index, officers=officers, services=services)
    # A hold on a plate names no passage.
    named = act.event in handed.events or (act.event is None and act.kind in (ActKind.HOLD, ActKind.RELEASE))
    if act.kind != one.what or not named:
        raise EvidenceBroken(f"it is a {act.kind} of another passage or kind than the folder says")
    handed.check_packages(act)
    who = f"officer {act.officer}, countersigned by the service"
    parsed = Envelope.parse(one.envelope)
    if len(parsed.signatures) < MAX_SIGNATURES:
        who = "the service alone" + (f", about officer {act.officer}" if act.officer else "")
    else:
        check_signer(act, officers[parsed.key_id])
    verdict = f", verdict {act.detail['verdict']}" if "verdict" in act.detail else ""
    return f"{act.kind} of {act.subject}{verdict}, signed by {who}; {check_entry(one, trust)}"
