"""`mailweir milter`: the filter that Postfix hands every message to."""

from __future__ import annotations

import click

from mailweir import config, log
from mailweir.milter.workers import Workers


@click.command()
@click.pass_context
def milter(context: click.Context) -> None:
    """Filter the mail that Postfix hands over, until stopped.

    SIGTERM stops it once the messages in hand are finished; SIGHUP reads the settings again.
    """
    log.to_stderr()
    path = context.find_root().params.get("path")
    Workers(context.obj, lambda: config.load(path)).run()
