"""Command line of the demo: ``python -m service.demo [--passages N] [--exit] ...``."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import click

from domain.errors import ZhichaoError
from service.demo.session import DemoOptions, default_data_folder, run_demo
from service.lifeline import Announce, configure_logging, run_child
from service.settings import load_settings
from service.system import sole_use_of


@dataclass
class _Ending:
    """How the demo ended; a cancelled one ended well."""

    good: bool = field(default=True)


@click.command(context_settings={"max_content_width": 100})
@click.option("--passages", type=click.IntRange(min=1), help="Send so many passages; without it, endless.")
@click.option("--exit", "exits", is_flag=True, help="With --passages: end when all is settled, with a table.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the simulated vehicles.")
@click.option("--rate", type=float, default=3.0, show_default=True, help="Passages a second, in all.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where all is kept, for the next time too. Default: data/demo.",
)
def main(passages: int | None, exits: bool, seed: int, rate: float, data: Path | None) -> None:
    """Run everything on this machine with three simulated stations. Ctrl-C ends it."""
    if exits and passages is None:
        raise click.UsageError("--exit needs --passages: without a number the stations go on for ever")
    ending = _Ending()
    try:
        settings = load_settings()
        configure_logging("WARNING")
        options = DemoOptions(
            passages=passages, exits=exits, seed=seed, rate=rate, data=data or default_data_folder()
        )

        async def body(_announce: Announce) -> None:
            ending.good = await run_demo(settings, options)

        with sole_use_of(options.data):
            status = run_child(body, supervised=False)
    except ZhichaoError as error:
        click.echo(f"zhichao: {error}", err=True)
        sys.exit(1)
    sys.exit(status or int(not ending.good))


if __name__ == "__main__":
    main()
