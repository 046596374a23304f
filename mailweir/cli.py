"""The `mailweir` command: one sub-command a duty, each loaded only when it is asked for.

Loading lazily keeps `mailweir scan` from importing the web framework and the workers from importing peewee.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from mailweir import __version__, config
from mailweir.errors import MailweirError

# sub-command -> where its click command stands
COMMANDS = {
    "milter": "mailweir.milter.command:milter",
    "agent": "mailweir.agent.command:agent",
    "queue-helper": "mailweir.agent.helper:queue_helper",
    "web": "mailweir.webui.command:web",
    "user": "mailweir.webui.command:user",
    "scan": "mailweir.content.command:scan",
    "import-log": "mailweir.postlog.command:import_log",
    "doctor": "mailweir.postlog.doctor:doctor",
    "mail-in": "mailweir.records.command:mail_in",
    "pending": "mailweir.records.command:pending",
    "pending-groups": "mailweir.records.command:pending_groups",
    "rejected": "mailweir.records.command:rejected",
    "delivery": "mailweir.records.command:delivery",
    "quarantine": "mailweir.records.command:quarantine",
    "show": "mailweir.records.command:show",
    "session": "mailweir.records.command:session",
    "migrate": "mailweir.records.command:migrate",
    "force": "mailweir.agent.command:force",
    "retry": "mailweir.agent.command:retry",
    "delete": "mailweir.agent.command:delete",
    "return": "mailweir.agent.command:return_",
    "hold": "mailweir.agent.command:hold",
    "release": "mailweir.agent.command:release",
    "unlock": "mailweir.agent.command:unlock",
    "config": "mailweir.cli:config_",
}

# what works with --server, by the API of the pages there
REMOTE = ("mail-in", "pending", "pending-groups", "rejected", "delivery", "quarantine", "show", "session")
SERVER = "mailweir.server"  # where a command finds what --server and --token-file said


class _Lazy(click.Group):
    """A group that imports a sub-command's room when the sub-command is used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The settings file; default {config.DEFAULT_FILE}, or what {config.ENV_FILE} names.",
)
@click.option(
    "--server", metavar="URL", help="Ask the pages of another machine instead of the database here."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with an API token for that server; nobody but you may read it.",
)
@click.pass_context
def mailweir(context: click.Context, path: Path | None, server: str | None, token_file: Path | None) -> None:
    """Stalls mail that cannot be scanned, and shows what became of every message."""
    if (server is None) != (token_file is None):
        raise click.UsageError("--server and --token-file belong together")
    if server and context.invoked_subcommand not in REMOTE:
        raise click.UsageError(
            f"{context.invoked_subcommand} works only where Mailweir runs; with --server there are "
            f"{', '.join(REMOTE)}"
        )
    context.meta[SERVER] = (server, token_file) if server else None
    context.obj = config.load(path) if context.invoked_subcommand != "config" else None


@click.group("config")
def config_() -> None:
    """Show every setting there is."""


@config_.command()
def example() -> None:
    """Print an annotated settings file."""
    click.echo(config.example(), nl=False)


@config_.command()
def reference() -> None:
    """Print the settings as a Markdown table."""
    click.echo(config.reference(), nl=False)


def main() -> None:
    """Run the command; an error meant for a person becomes one line on stderr and its own exit code."""
    try:
        mailweir(prog_name="mailweir")
    except MailweirError as error:
        click.echo(f"mailweir: {error}", err=True)
        sys.exit(error.exit_code)
