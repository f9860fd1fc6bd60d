"""Commands on column files: `import`, `screen` and `export`."""

from datetime import datetime
from pathlib import Path

import click

from domain.screening import Formula
from service.command import explained, read_settings, run_to_end

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FILE_OR_FOLDER = click.Path(exists=True, path_type=Path)
_NEW = click.Path(path_type=Path)


@click.group("import")
def import_group() -> None:
    """Read files of other systems into Parquet files of records."""


@import_group.command("fhwa")
@click.argument("file", type=_FILE, nargs=-1, required=True)
@click.option("--out", type=_NEW, required=True, help="The new Parquet file of records.")
@click.option("--rejects", type=_NEW, help="A new CSV file of every rejected line and why.")
@explained
def import_fhwa_files(file: tuple[Path, ...], out: Path, rejects: Path | None) -> None:
    """Read truck weight records ("W records") of the FHWA's Traffic Monitoring Guide 2013 and 2016.

    FILEs may be packed by gzip. Every line is accounted for: a truck, an hour without trucks or data,
    blank, or rejected with its reason. No station of theirs is registered here, so that the records can
    never be more than statistics. Metric records of the 2001 guide are rejected, never converted.
    """
    from service.fhwa_import import import_fhwa  # noqa: PLC0415 (numba and Arrow, not for --help)

    for counts in import_fhwa(file, out, rejects=rejects):
        click.echo(counts.text())


@click.command()
@click.argument("records", type=_FILE_OR_FOLDER)
@click.option("--out", type=_NEW, required=True, help="The new Parquet file of findings.")
@click.option(
    "--on", type=_DAY, help="Judge all by the limits of this day; without it, each by those of its own day."
)
@click.option(
    "--formula", type=click.Choice([formula.value for formula in Formula]), help="Instead of the setting's."
)
@click.option("--guard-k", type=click.FloatRange(min=0), help="Guard factor k instead of the setting's.")
@explained
def screen(records: Path, out: Path, on: datetime | None, formula: str | None, guard_k: float | None) -> None:
    """Screen RECORDS, a Parquet file of records or a folder of them, by the same rule as live passages.

    Opens no case and changes nothing that is stored. The rule is that of the settings; what is given here
    instead stands in the findings' metadata.
    """
    from service.rescreening import screen_files  # noqa: PLC0415 (numba and Arrow, not for --help)
    from service.rule import rule_of  # noqa: PLC0415

    settings = read_settings()
    changes: dict[str, object] = {} if formula is None else {"rule_formula": Formula(formula)}
    if guard_k is not None:
        changes |= {"rule_guard_k_milli": round(guard_k * 1_000)}
    summary = screen_files(
        records,
        out,
        rule=rule_of(settings.model_copy(update=changes)),
        confirmed_rows=settings.law_confirmed_rows,
        on=None if on is None else on.date(),
    )
    click.echo(summary.text())


@click.group("export")
def export_group() -> None:
    """Write what is stored to column files."""


@export_group.command("passages")
@click.option("--from", "first", type=_DAY, required=True, help="The first local day.")
@click.option("--to", "last", type=_DAY, required=True, help="The last local day, itself included.")
@click.option("--out", type=_NEW, required=True, help="The new folder.")
@explained
def export_passages(first: datetime, last: datetime, out: Path) -> None:
    """Write the passages of some days as Parquet, by day and station below OUT, for `zhichao screen`."""
    from service.passage_export import export_days  # noqa: PLC0415 (Arrow, not for --help)

    exported = run_to_end(export_days(read_settings(), first.date(), last.date(), out))
    click.echo(f"{exported.passages} passages in {exported.files} files below {out}")
