"""What a check has to say: one line, and what to do about it."""

from typing import Literal, NamedTuple

Verdict = Literal["fine", "warning", "wrong"]


class Finding(NamedTuple):
    """One thing looked at."""

    verdict: Verdict
    subject: str
    detail: str
    advice: str = ""
    """What to do next; empty only where all is fine."""


def fine(subject: str, detail: str) -> Finding:
    """Say that something is as it should be."""
    return Finding("fine", subject, detail)


def warning(subject: str, detail: str, advice: str) -> Finding:
    """Say that something works but should not stay so."""
    return Finding("warning", subject, detail, advice)


def wrong(subject: str, detail: str, advice: str) -> Finding:
    """Say that something cannot work, or makes evidence worthless."""
    return Finding("wrong", subject, detail, advice)
