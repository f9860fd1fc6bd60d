"""The catalogue against the texts in code and templates, and the choice of language."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from starlette.requests import Request

from api import languages, words
from cases.reasons import REJECT_REASONS
from evidence.policy import LAYERS, ON_REQUEST
from weigh import DOUBTS, STATISTICS
from weigh.live import HELD

_AT_SCREENING = ("clock-unreliable", "drift-alarm")

API = Path(languages.__file__).parent


def msgids() -> set[str]:
    """Return every text that code or template marks for translation."""
    found = extract_from_dir(
        API,
        method_map=[("**.py", "python"), ("templates/**.html", "jinja2")],
        keywords={"_": None, "translated": (2,)},
    )
    return {str(message) for _, _, message, _, _ in found}


def test_no_text_is_untranslated_and_no_translation_is_left_over() -> None:
    with languages.CATALOGUE.open("rb") as source:
        catalogue = read_po(source, locale="zh_CN")
    translated = {str(message.id): str(message.string) for message in catalogue if message.id}
    assert set(translated) == msgids()
    assert len(translated) > 100
    for msgid, text in translated.items():
        assert text.strip(), msgid
        assert re.findall(r"%\(\w+\)s", msgid) == re.findall(r"%\(\w+\)s", text), msgid
        assert re.search(r"%(?!\(\w+\)s)", text) is None, "the templates' gettext formats every text"


def test_catalogue_is_used() -> None:
    assert languages.translations("zh-CN").gettext("Sign in") == "登录"
    assert languages.translations("en").gettext("Sign in") == "Sign in"


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "language"),
    [
        ("", "", "", "zh-CN"),
        ("", "", "en-GB,en;q=0.9", "zh-CN"),
        ("", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "", "de-DE,fr;q=0.8", "zh-CN"),
        ("", "zh-CN", "en", "zh-CN"),
        ("", "en", "zh-CN", "en"),
        ("lang=en", "", "zh-CN", "en"),
        ("lang=en", "zh-CN", "zh-CN", "en"),
        ("lang=tlh", "en", "zh-CN", "en"),
    ],
)
def test_choice_of_language(query: str, cookie: str, accept: str, language: str) -> None:
    headers = [(b"accept-language", accept.encode())]
    if cookie:
        headers.append((b"cookie", f"{languages.COOKIE}={cookie}".encode()))
    scope = {"type": "http", "query_string": query.encode(), "headers": headers}
    assert languages.language_of(Request(scope)) == language


@pytest.mark.parametrize(
    "code",
    [
        *(*LAYERS, *ON_REQUEST, *DOUBTS, *STATISTICS, *HELD, *_AT_SCREENING),
        *(one.code for one in REJECT_REASONS),
    ],
)
def test_codes_shown_to_reviewers_have_words_in_both_languages(code: str) -> None:
    chinese, english = words.word(code, "zh-CN"), words.word(code, "en")
    assert chinese not in {code, english}
    assert english != code


def test_a_code_with_a_figure_keeps_it() -> None:
    assert words.word("axle-sum-unconfirmed:48000", "en").endswith(": 48000")
    assert words.word("no-such-code", "en") == "no-such-code"


def test_clauses_in_chinese() -> None:
    assert (
        words.clause_words("Order 62 (2016) Art. 43 item 2", "zh-CN") == "交通运输部令2016年第62号第43条第2项"
    )
