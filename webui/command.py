"""`mailweir web` serves the pages with gunicorn; `mailweir user` makes those who may log in."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from mailweir.config import Config
from mailweir.errors import InputError
from mailweir.records import db
from mailweir.webui import accounts
from mailweir.webui.create_app import create_app, settle


class Server(BaseApplication):
    """gunicorn as a library: our settings instead of its command line and configuration file."""

    def __init__(self, config: Config) -> None:
        self.mailweir = config
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn before the workers start."""
        web = self.mailweir.web
        settings: dict[str, Any] = {
            "bind": web.bind,
            "workers": web.workers,
            "threads": web.threads,
            "worker_class": "gthread",
            "proc_name": "mailweir web",
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 (gunicorn's own unlinked heartbeat file)
            "errorlog": "-",
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Called in each worker: nothing is opened before the fork."""
        app = create_app(self.mailweir)
        settle(app)
        return app


@click.command()
@click.pass_obj
def web(config: Config) -> None:
    """Serve the pages (web.bind in the settings)."""
    click.echo(f"mailweir web: pages at {config.web.url or 'http://' + config.web.bind}", err=True)
    Server(config).run()


@click.group()
def user() -> None:
    """Manage who may log in to the pages."""


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(accounts.ROLES),
    default="administrator",
    show_default=True,
    help="viewer sees, operator also acts on mail, administrator also changes policies and users.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--generate", is_flag=True, help="Make a password and print it.")
@click.pass_obj
def add(config: Config, name: str, role: str, password_stdin: bool, generate: bool) -> None:
    """Add a user; asks for the password, an empty answer makes one."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif generate:
        password = ""
    else:
        password = click.prompt(
            "Password (empty: make one)",
            hide_input=True,
            confirmation_prompt=True,
            default="",
            show_default=False,
        )
    if password_stdin and not password:
        raise InputError("there was no password on standard input")
    made = password or accounts.generate()
    db.connect(config)
    accounts.add(name, made, role=role, clock=time.time)
    click.echo(f"{role} {name} added" + ("" if password else f"; the password is {made}"))
