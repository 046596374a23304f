"""`mailweir import-log`: past logs into the records."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from mailweir.config import Config
from mailweir.errors import InputError
from mailweir.postlog.history import STANDARD_INPUT, History, Source


@click.command("import-log")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--year", type=click.IntRange(1970, 9999), help="Year of the first line, where stamps have none."
)
@click.option(
    "--node", type=click.IntRange(0, 255), help="Number of the node the logs are from; default node.number."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_obj
def import_log(
    config: Config, files: tuple[str, ...], year: int | None, node: int | None, as_json: bool
) -> None:
    """Read past mail logs into the records.

    Files may be compressed (gzip, xz, bzip2, zstd) and are read in the order of time, whatever the order
    they are named in; - is standard input. Importing a file again adds nothing; an import that was
    interrupted goes on where it was.
    """
    from mailweir.records import db
    from mailweir.records.import_lock import one_import
    from mailweir.records.ingest_import import Importer

    if files.count(STANDARD_INPUT) > 1:
        raise InputError("standard input (-) can be read only once")
    sources = [Source(name) for name in files]
    database = db.connect(config)
    number = config.node.number if node is None else node
    with one_import(config, number):
        importer = Importer(database, number)
        fresh = importer.new(sources)
        if fresh:
            total = sum(source.size for source in fresh)
            with _progress(total) as progress:
                importer.run(
                    History(fresh, year),
                    config.agent.batch,
                    lambda: db.connect(config, migrate=False),
                    time.time,
                    progress,
                )
    database.close()
    _summary(sources, fresh, importer.added, asdict(importer.counts), as_json)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda bytes_read, lines_read: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[speed]} lines/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total or None, speed="")
        began = time.monotonic()

        def update(bytes_read: int, lines_read: int) -> None:
            speed = lines_read / max(time.monotonic() - began, 0.001)
            bar.update(task, completed=bytes_read, speed=f"{speed:,.0f}")

        yield update


def _summary(
    sources: list[Source],
    fresh: list[Source],
    added: dict[str, int],
    counts: dict[str, object],
    as_json: bool,
) -> None:
    skipped = [source.name for source in sources if source not in fresh]
    if as_json:
        click.echo(json.dumps({"skipped": skipped, "added": added, "lines": counts}))
        return
    for name in skipped:
        click.echo(f"{name}: nothing new (imported before, or followed by the agent)")
    if not fresh:
        return
    statuses = ", ".join(f"{added[word]} {word}" for word in _outcomes() if added.get(word))
    click.echo(f"messages    {added['messages']}")
    click.echo(f"deliveries  {added['deliveries']}" + (f" ({statuses})" if statuses else ""))
    click.echo(f"rejected    {added['rejects']} attempts before there was a message")
    click.echo(f"sessions    {added['sessions']} recorded")
    click.echo(
        "lines       {read} read, {understood} understood, {ignored} of no concern, "
        "{not_understood} not understood, {orphaned} about mail from before the log".format(**counts)
    )


def _outcomes() -> list[str]:
    from mailweir.records.words import Outcome

    return Outcome.words()
