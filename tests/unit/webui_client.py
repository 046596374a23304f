"""The pages over a small seeded database, with a client that logs in and fills forms as a browser does."""

from __future__ import annotations

import dataclasses
import functools
import re
import tempfile
import time
from html import unescape
from pathlib import Path

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mailweir.config import Config, Web, load
from mailweir.records import db
from mailweir.webui import accounts, figures, overview
from mailweir.webui.create_app import create_app
from tests.browser.seed import World, sow

accounts.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # fast; its cost is not tested
PASSWORD = "correct horse battery"
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@functools.cache
def sown(extra: int) -> tuple[bytes, World]:
    """A SQLite file with the seeded world and a user of each role; made once: tests need a copy."""
    with tempfile.TemporaryDirectory() as directory:
        database = db.connect(dataclasses.replace(load(None, {}), state_dir=directory))
        with database.atomic():
            world = sow(time.time(), extra=extra)
            for role in accounts.ROLES:
                accounts.add(role, PASSWORD, role=role, clock=time.time)
        database.close()
        return Path(directory, "mailweir.db").read_bytes(), world


class Pages:
    """One application with its world; `as_user` gives a logged-in client."""

    def __init__(self, state: Path, *, extra: int = 0, web: Web | None = None) -> None:
        self.config: Config = dataclasses.replace(
            load(None, {}), state_dir=str(state), web=web or Web(act_wait=0.0, page_rows=20)
        )
        content, self.world = sown(extra)
        Path(state, "mailweir.db").write_bytes(content)
        self.app = create_app(self.config)
        overview.kept = figures.Figures(patience=60.0)  # nothing counted of another world

    def as_user(self, name: str) -> FlaskClient:
        """A client that has logged in."""
        client = self.app.test_client()
        answer = log_in(client, name, PASSWORD)
        assert answer.status_code == 302, answer.text
        return client


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms, the last of each name."""
    return {name: unescape(value) for name, value in FIELD.findall(page)}


def log_in(client: FlaskClient, name: str, password: str, path: str = "/login") -> TestResponse:
    """Fill in the log-in form and send it."""
    token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get(path).text)
    assert token
    fields = {"csrf_token": token[1], "name": name, "password": password}
    return client.post(path, data=fields)
