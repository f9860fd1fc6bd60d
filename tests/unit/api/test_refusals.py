"""Refusals in the reader's language: every message a reviewer may get has a Chinese sentence."""

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from api import access, acting, disclosure, refusals, web_item
from api.app import STATUS
from cases import claims, plates, review, seals, states
from domain.errors import ConflictingChange, EvidenceBroken, NotPermitted
from store import cases as stored_cases

REFUSING = (access, acting, disclosure, web_item, claims, plates, review, seals, states, stored_cases)
FILLED = "X1"


def raised_texts(module: ModuleType) -> Iterator[str]:
    """Yield the message of every `raise Error("...")` of a module, fields filled in."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            message = node.exc.args[0]
            parts = message.values if isinstance(message, ast.JoinedStr) else [message]
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in parts)


@pytest.mark.parametrize("module", REFUSING, ids=lambda module: module.__name__)
def test_every_refusal_of_a_review_has_a_sentence_of_its_own(module: ModuleType) -> None:
    texts = list(raised_texts(module))
    assert texts
    assert [text for text in texts if not refusals.known_reason(text.replace("round X1", "round 2"))] == []


def test_a_known_reason_an_unknown_one_and_english() -> None:
    stale = ConflictingChange("the case has moved on since it was shown; look again, then decide again")
    assert refusals.sentence_for(stale, "zh-CN") == "本案已有新的进展，请重新查看后再作决定。"
    assert refusals.sentence_for(stale, "en") is None
    assert refusals.sentence_for(NotPermitted("no reason known here"), "zh-CN") == "您无权进行此操作。"
    assert (
        refusals.sentence_for(EvidenceBroken("leaf 4 is gone"), "zh-CN") == "证据校验未通过，请通知管理员。"
    )


def test_every_class_the_web_answers_has_a_sentence() -> None:
    for kind in STATUS:
        error = kind.__new__(kind, "never written anywhere")
        assert refusals.sentence_for(error, "zh-CN"), kind
