"""Rendering pages: one Jinja2 environment a language, everything escaped, nothing cached by the browser."""

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from api import words
from api.access import Principal, wiring_of
from api.languages import LANGUAGES, Language, language_of, translations
from api.step_notes import step_note
from cases.leads import BEIJING

TEMPLATES = Path(__file__).parent / "templates"


def beijing_text(moment: datetime) -> str:
    """Return a moment as people at the station know it: Beijing time, to the second."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def thousands(figure: int) -> str:
    """Return a whole number with thin groups of three: 48 950."""
    return f"{figure:,}".replace(",", "\u2009")


def percent(ppm: int, digits: int = 1) -> str:
    """Return parts per million as a percentage."""
    return f"{ppm / 10_000:.{digits}f} %"


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue = translations(language)
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(beijing=beijing_text, thousands=thousands, percent=percent)
    environment.globals.update(
        language=language,
        word=lambda code: words.word(code, language),
        state_name=lambda state: words.state_name(state, language),
        clause=lambda cited: words.clause_words(cited, language),
        advice=lambda code: words.refusal_advice(code, language),
        step_note=lambda note: step_note(note, language),
        say=lambda pair: pair["zh" if language == "zh-CN" else "en"],
    )
    return environment


_ENVIRONMENTS = {language: _environment(language) for language in LANGUAGES}


def render(
    request: Request, template: str, *, person: Principal | None = None, status: int = 200, **context: Any
) -> HTMLResponse:
    """Return a page in the request's language."""
    wiring = wiring_of(request)
    language = language_of(request)
    body = (
        _ENVIRONMENTS[language]
        .get_template(template)
        .render(
            request_path=request.url.path,
            person=person,
            version=wiring.version,
            demo=wiring.demo,
            **context,
        )
    )
    return HTMLResponse(body, status_code=status, headers={"Content-Language": language, "Vary": "Cookie"})


def translated(request: Request, message: str) -> str:
    """Return a message of the catalogue in the request's language."""
    return translations(language_of(request)).gettext(message)
