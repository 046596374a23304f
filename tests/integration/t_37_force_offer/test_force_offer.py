"""Force's offer and the policies' history, from the page to the filter and back: real mail, real pages."""

from __future__ import annotations

import json
import re
import smtplib
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage
from html import unescape
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.harness.stack import query, running_stack
from trial import files
from trial.ports import LOOPBACK
from trial.stack import Stack
from trial.waiting import wait_for

PASSWORD = "correct horse battery"
ARCHIVE = files.encrypted_zip()  # each one made is another file, by its salt
PARTNER, OTHER, OURS = "partner@example.com", "other@example.com", "user@example.org"
HIDDEN = re.compile(r'<input[^>]* type="hidden"[^>]*>')


class Browser:
    """Fills in forms as a browser does, over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        """A page."""
        with self._opener.open(self._url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def post(self, path: str, page: str, **fields: str) -> str:
        """Send a form of that page, its hidden fields with it; the page that comes of it."""
        body = hidden(page) | {name.replace("__", "."): value for name, value in fields.items()}
        data = urllib.parse.urlencode(body).encode()
        with self._opener.open(self._url + path, data, timeout=30) as answer:
            return str(answer.read().decode())


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page."""
    found = {}
    for field in (('name="([^"]*)"', 'value="([^"]*)"'),):
        for tag in HIDDEN.findall(page):
            name, value = (re.search(part, tag) for part in field)
            if name and value:
                found[name[1]] = unescape(value[1])
    return found


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Everything running, with an administrator anna; the filter believes mx.example.org."""
    with running_stack(**{"milter.trusted_authserv": ["mx.example.org"]}) as running:
        role = ("--role", "administrator", "--password-stdin")
        running.mailweir("user", "add", "anna", *role, input=PASSWORD + "\n")
        yield running


def send(stack: Stack, subject: str, sender: str, *, proven: bool = True) -> None:
    """Send an encrypted archive."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, OURS, subject
    if proven:
        message["Authentication-Results"] = "mx.example.org; dmarc=pass header.from=example.com"
    message.set_content("see the archive\n")
    message.add_attachment(ARCHIVE, "application", "zip", filename="figures.zip")
    with smtplib.SMTP(LOOPBACK, stack.ports.smtp, timeout=60) as smtp:
        smtp.sendmail(sender, [OURS], message.as_bytes())


def become(stack: Stack, subject: str, status: str) -> dict[str, Any]:
    """Wait until the records say that of the message; its row."""

    def row() -> dict[str, Any]:
        lines = stack.mailweir("mail-in", "--all", "--json").splitlines()
        rows = [json.loads(line) for line in lines]
        return next((one for one in rows if one["subject"] == subject), {"status": "unknown"})

    wait_for(lambda: row()["status"] == status, f"{subject} to be {status}", explain=lambda: str(row()))
    return row()


def published(stack: Stack, tells: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the filter's policies tell that of the default scope."""
    file = stack.state / "mailweir" / "policies.json"
    wait_for(lambda: tells(json.loads(file.read_text())["scopes"][0]), "the agent to publish it")


def test_forced_once_then_let_through_by_a_narrow_entry_that_ends(stack: Stack) -> None:
    browser = Browser(stack.url)
    page = browser.get("/login")
    browser.post("/login", page, name="anna", password=PASSWORD)
    filtering = "/policies/default/0/filtering"
    assert "Saved" in browser.post(filtering, browser.get(filtering), inbound__encrypted="allow-list")
    published(stack, lambda scope: scope["fields"] == {"inbound.encrypted": "allow-list"})

    send(stack, "first figures", PARTNER)
    item = become(stack, "first figures", "stalled")["mail_in_id"]
    page = browser.post("/act", browser.get("/quarantine"), action="force", item=item, next="/quarantine")
    assert "dmarc pass example.com" in page
    assert "No earlier mail of this sender was delivered" in page
    assert f"sender {PARTNER}</span>" in page, "the offer: that very sender"
    assert "carried the same file" not in page
    assert [one for one in stack.received() if one.sender] == [], "nothing before the reason is given"
    page = browser.post("/act", page, reason="they called", allow=item)
    assert "Added to the list: sender partner@example.com until " in page
    become(stack, "first figures", "delivered")

    published(stack, lambda scope: [one["pattern"] for one in scope["allow"]] == [PARTNER])
    send(stack, "second figures", PARTNER)
    row = become(stack, "second figures", "delivered")
    assert f"sender {PARTNER}" in stack.mailweir("show", row["mail_in_id"]), "the story names the entry"
    send(stack, "another sender", OTHER)
    send(stack, "a forged sender", PARTNER, proven=False)
    become(stack, "another sender", "stalled")
    item_forged = become(stack, "a forged sender", "stalled")["mail_in_id"]
    back = browser.get("/quarantine")
    page = browser.post("/act", back, action="force", item=item_forged, next="/quarantine")
    assert "anybody may have written this" in page
    assert "2 earlier messages of this sender were delivered" in page
    assert "3 other messages carried the same file" in page
    assert 'name="allow"' not in page, "an entry for a sender that nobody vouches for would not count"

    ((made, ends),) = query(stack, "SELECT created, expires FROM allow_entry")
    assert 29 * 86_400 < ends - made < 32 * 86_400
    with closing(sqlite3.connect(stack.state / "mailweir" / "mailweir.db", timeout=30)) as database, database:
        database.execute("UPDATE allow_entry SET expires = ?", (made + 0.5,))
    published(stack, lambda scope: scope["allow"][0]["expires"] == made + 0.5)
    send(stack, "after its end", PARTNER)
    become(stack, "after its end", "stalled")

    history = browser.get("/policies/default/0/history")
    for told in ("anna", LOOPBACK, "inbound.encrypted", "allow-list", f"sender {PARTNER} forced {item}"):
        assert told in history, told
    changes = [
        (who, ip, json.loads(detail))
        for who, ip, detail in query(
            stack, "SELECT who, ip, detail FROM audit WHERE what = 'policy changed' ORDER BY id"
        )
    ]
    assert [(who, ip) for who, ip, _ in changes] == [("anna", LOOPBACK)] * 2
    first, second = (detail for _, _, detail in changes)
    assert (first["from"]["fields"], first["to"]["fields"]) == ({}, {"inbound.encrypted": "allow-list"})
    assert (second["from"]["allow"], second["to"]["allow"][0]["pattern"]) == ([], PARTNER)


def test_unlocked_with_the_password_from_the_command_line(stack: Stack) -> None:
    """Command line, database, agent, content scanner and Postfix, each as it is."""
    send(stack, "to be unlocked", OTHER)
    item = become(stack, "to be unlocked", "stalled")["mail_in_id"]
    said = stack.mailweir("unlock", item, "--password-stdin", input="not this one\n", check=False)
    assert "failed: the password does not open all that is encrypted" in said
    said = stack.mailweir("unlock", item, "--password-stdin", input=files.PASSWORD + "\n")
    assert "done: scanned again, passes now; released from hold" in said
    become(stack, "to be unlocked", "delivered")
    kept = [path for path in stack.state.rglob("*") if path.is_file() and path.stat().st_size < 100_000_000]
    assert not [path for path in kept if files.PASSWORD.encode() in path.read_bytes()], (
        "the password is nowhere"
    )
