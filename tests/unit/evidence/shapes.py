"""Documents of any shape, close to a good one: strategies for the tests that fuzz readers."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from domain.errors import EvidenceBroken
from evidence.parsing import canonical_json
from tests.counts import count

FUZZ = settings(
    max_examples=count(3_000, reduced=100),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SLOW = settings(FUZZ, max_examples=count(300, reduced=15))
"""Where one example is a whole package or export."""

ODD = [
    "",
    "\n",
    "\ud800",
    "A" * 400,
    "0001-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z",
    "//",
    "\0",
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**60)
    | st.text(max_size=8)
    | st.floats()
    | st.sampled_from([*ODD, 2**53, 10**400, {}, [], [[]], [{}], {"": None}])
)
JSON = st.recursive(
    LEAVES,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, but the whole of it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*at, name)
        yield from places(part, (*at, name))


def changed(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with another value, or nothing, at one place."""
    made = copy.deepcopy(document)
    inner = made
    for name in at[:-1]:
        inner = inner[name]
    if value is ...:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return made


def variants(document: Any) -> st.SearchStrategy[Any]:
    """A document with anything, or nothing, in place of any part of it."""
    return st.builds(changed, st.just(document), st.sampled_from(list(places(document))), JSON | st.just(...))


def is_canonical(document: Any) -> bool:
    """Whether our own writer writes it, so that a signer with a right key can sign it."""
    try:
        canonical_json(document)
    except EvidenceBroken:
        return False
    return True


def signable(document: Any) -> st.SearchStrategy[Any]:
    """Such variants as can be signed."""
    return variants(document).filter(is_canonical)


def json_bytes(document: Any) -> bytes:
    """A document as JSON in some spelling."""
    return json.dumps(document).encode()


def spliced(original: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, or the original with a few bytes overwritten at any place."""
    overwritten = st.tuples(st.integers(0, len(original)), st.binary(max_size=4)).map(
        lambda made: original[: made[0]] + made[1] + original[made[0] + len(made[1]) :]
    )
    return st.binary(max_size=150) | overwritten
