"""Compares what the service decided with the truth the simulators wrote down.

`score` is a pure function of truth and rows; `score_command` gets the rows from the JSON API, page by
page, and prints the table and one JSON object.
"""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError, ServiceUnavailable
from domain.screening import Outcome
from simulators.truth import read_truth

Login = tuple[str, str]

_LABELS = {
    "sent": "passages sent",
    "stored": "stored",
    "flagged": "flagged as overloaded",
    "equal_to_oracle": "findings equal to the oracle's",
    "wrongly_flagged": "flagged, true static mass within its limit",
    "missed": "over the true limit, not flagged",
    "plates_read": "plates read",
    "plates_right": "plates right",
    "packages": "packages sealed",
    "cases": "cases opened",
}


@dataclass
class Score:
    """The counts, and the event ids that need looking at."""

    sent: int = 0
    stored: int = 0
    flagged: int = 0
    equal_to_oracle: int = 0
    wrongly_flagged: int = 0
    missed: int = 0
    plates_read: int = 0
    plates_right: int = 0
    packages: int = 0
    cases: int = 0
    not_stored: list[str] = field(default_factory=list)
    unlike_oracle: list[str] = field(default_factory=list)
    wrongly_flagged_events: list[str] = field(default_factory=list)
    plates_wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """All is stored, every finding is the oracle's, and nobody within his limit is flagged."""
        return self.sent == self.stored == self.equal_to_oracle and not self.wrongly_flagged


def score(truth: dict[str, dict[str, Any]], rows: Iterable[dict[str, Any]]) -> Score:
    """Return the score; rows of other events than the truth's are passed over.

    A row has `event_id`, `screening`, and `reading`, `package_state` and `case_state`, which may be null.
    """
    result = Score(sent=len(truth))
    stored = {row["event_id"]: row for row in rows if row["event_id"] in truth}
    for event, entry in truth.items():
        row = stored.get(event)
        if row is None:
            result.not_stored.append(event)
        else:
            _count(result, event, entry, row)
    return result


def equals_oracle(screening: dict[str, Any], oracle: dict[str, Any]) -> bool:
    """Say whether the service's screening says what the oracle says.

    Of a waveform the oracle knows between which masses it must be weighed, and the outcomes they allow.
    """
    adjudication = screening["adjudication"]
    if "outcomes" in oracle:
        return (
            screening["outcome"] in oracle["outcomes"]
            and adjudication["limit_kg"] == oracle["limit_kg"]
            and screening["vehicle_code"] == oracle["vehicle_code"]
            and oracle["gross_from_kg"] <= adjudication["measured_gross_kg"] <= oracle["gross_to_kg"]
        )
    return oracle == {
        "outcome": screening["outcome"],
        "vehicle_code": screening["vehicle_code"],
        "limit_kg": adjudication["limit_kg"],
        "adjudged_kg": adjudication["adjudged_kg"],
        "over_kg": adjudication["over_kg"],
    }


def table(result: Score) -> str:
    """Return the counts as a table of text."""
    counts = asdict(result)
    width = max(len(label) for label in _LABELS.values())
    return "\n".join(f"{label:<{width}}  {counts[name]:>7}" for name, label in _LABELS.items())


def score_command(truth: Path, api: str, *, login: Login | None, only_json: bool) -> int:
    """Print the score; return 0 if it is good, 1 if not."""
    passages, _ = read_truth(truth)
    result = score(passages, rows_of(api, login))
    if not only_json:
        sys.stdout.write(table(result) + "\n")
    sys.stdout.write(json.dumps(asdict(result) | {"good": result.good}) + "\n")
    return int(not result.good)


def rows_of(api: str, login: Login | None) -> Iterator[dict[str, Any]]:
    """Yield every passage the service has, page by page.

    Raises
    ------
    ConfigurationError
        The address is not one, or the service does not let this account in.
    ServiceUnavailable
        The service does not answer.
    """
    after: str | None = None
    while True:
        query = {"limit": "200"} | ({"after": after} if after else {})
        page = _get(f"{api.rstrip('/')}/api/v1/passages?{urllib.parse.urlencode(query)}", login)
        yield from page["passages"]
        after = page["next"]
        if after is None:
            return


def _get(url: str, login: Login | None) -> Any:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{url} is not an address; give --api http://HOST:PORT")
    request = urllib.request.Request(url)  # noqa: S310 - the scheme is checked above
    if login is not None:
        credentials = base64.b64encode(":".join(login).encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise ConfigurationError(
            f"{url} answers {error.code}; check --api, --user and the password"
        ) from error
    except urllib.error.URLError as error:
        raise ServiceUnavailable(
            f"{url} does not answer ({error.reason}); is the service running?"
        ) from error


def _count(result: Score, event: str, entry: dict[str, Any], row: dict[str, Any]) -> None:
    result.stored += 1
    flagged = row["screening"]["outcome"] == Outcome.OVERLOADED
    result.flagged += flagged
    if equals_oracle(row["screening"], entry["oracle"]):
        result.equal_to_oracle += 1
    else:
        result.unlike_oracle.append(event)
    if flagged and not entry["truly_overloaded"]:
        result.wrongly_flagged += 1
        result.wrongly_flagged_events.append(event)
    result.missed += entry["truly_overloaded"] and not flagged
    if row["reading"] is not None:
        result.plates_read += 1
        if row["reading"]["text"] == entry["plate"]:
            result.plates_right += 1
        else:
            result.plates_wrong.append(event)
    result.packages += row["package_state"] == "complete"
    result.cases += row["case_state"] is not None
