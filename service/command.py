"""What every command of `zhichao` does around its work: settings, and errors as one sentence."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from domain.errors import ConfigurationError, ZhichaoError
from evidence.report import NOT_CHECKED
from service.lifeline import EXIT_CONFIGURATION, configure_logging
from service.settings import Settings, load_settings

SHORTEST_PASSWORD = 12

P = ParamSpec("P")
R = TypeVar("R")


def explained(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one sentence on standard error and an exit status, without a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ZhichaoError as error:
            click.echo(f"zhichao: {error}", err=True)
            sys.exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1)

    return run


def or_not_checked(command: Callable[P, R]) -> Callable[P, R]:
    """Say in one sentence, and by exit status, that nothing could be checked: never that it is broken.

    The status (2) is also what a wrong command line ends with.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ZhichaoError as error:
            click.echo(f"zhichao: not checked: {error}", err=True)
            sys.exit(NOT_CHECKED)

    return run


def read_settings() -> Settings:
    """Return the settings, with logging set up by them."""
    settings = load_settings()
    configure_logging(settings.log_level)
    return settings


def run_to_end(work: Coroutine[Any, Any, R]) -> R:
    """Run a command's asynchronous work."""
    return asyncio.run(work)


def read_password(prompt: str, *, new: bool = False) -> str:
    """Return a password as typed, unseen, or one line of standard input where that is no terminal.

    Raises
    ------
    ConfigurationError
        There is none, it is no text, or it is `new` and too short.
    """
    if sys.stdin.isatty():
        password = str(click.prompt(prompt, hide_input=True, confirmation_prompt=new))
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not password or any("\ud800" <= one <= "\udfff" for one in password):  # bytes that are no UTF-8
        raise ConfigurationError("no password was given; type it, or send it as one line of standard input")
    if new and len(password) < SHORTEST_PASSWORD:
        raise ConfigurationError(f"a password has at least {SHORTEST_PASSWORD} characters")
    return password
