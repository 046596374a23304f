"""Hostile mail by the whole real path, in every field, then on every page: nothing runs, nothing asks."""

import base64
import csv
import io
import smtplib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PASSWORD, Desk
from tests.harness.stack import running_stack
from trial import files
from trial.samples import OUR_USER
from trial.stack import Stack
from trial.waiting import wait_for

RUN = "<script>window.ran=1;fetch('//stolen.example/')</script><img src=x onerror=window.ran=1>"
FORMULA = '=HYPERLINK("http://stolen.example/","click")'
TURNED = "\u202egpj.exe\u2066"
TERMINAL = "\x1b]0;owned\x07\x1b[2J"
LARGEST = 9_500_000  # bytes of header fields; Postfix takes messages of ten million


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Everything running, with an administrator anna, and hostile mail in every state."""
    with running_stack() as running:
        running.mailweir("user", "add", "anna", "--password-stdin", input=PASSWORD + "\n")
        send(running, f"{RUN}{TURNED}".encode(), b"")
        send(running, FORMULA.encode() + TERMINAL.encode(), b"")
        send(running, b"\xff\xfe\x80 large " + RUN.encode(), large())
        refuse(running)
        wait_for(lambda: running.mailweir("quarantine", "--json").count("\n") == 3, "the stalled mail")
        wait_for(lambda: "hostile" in running.mailweir("rejected", "--json"), "the refused one")
        yield running


def large() -> bytes:
    """Header fields of nearly ten megabytes, folded and not, some without end or sense."""
    folded = b"X-Folded: " + b"\r\n ".join([b"<b>" + b"a" * 900] * 2_000) + b"\r\n"
    many = b"X-Many: <script>window.ran=1</script>\xff\r\n" * ((LARGEST - len(folded)) // 40)
    return folded + many


def send(stack: Stack, subject: bytes, more: bytes) -> None:
    """Stalled mail with that subject and these header fields; all else in it is hostile as well."""
    packed = base64.encodebytes(files.encrypted_zip()).replace(b"\n", b"\r\n")
    name = f'"><script>window.ran=1</script>{TURNED}.zip'.replace('"', "'").encode()
    message = (
        b"From: \"" + RUN.encode() + b"\" <x@example.com>\r\nTo: " + OUR_USER.encode() + b"\r\nSubject: "
        + subject + b"\r\nMessage-ID: <" + RUN.replace(" ", "").encode() + b"@x>\r\n"
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n" + more
        + b"\r\n--b\r\nContent-Type: text/html\r\n\r\n" + RUN.encode() + b"\r\n--b\r\n"
        + b'Content-Type: application/zip; name="' + name + b'"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + packed + b"\r\n--b--\r\n"
    )  # fmt: skip
    with smtplib.SMTP("127.0.0.1", stack.ports.smtp, timeout=120) as smtp:
        smtp.ehlo("<script>window.ran=1</script>")
        smtp.sendmail('"<script>window.ran=1</script>"@example.com', [OUR_USER], message)


def refuse(stack: Stack) -> None:
    """An attempt that Postfix refuses."""
    with smtplib.SMTP("127.0.0.1", stack.ports.smtp, timeout=120) as smtp:
        smtp.ehlo(f"hostile{RUN.replace(' ', '')}")
        code, _ = smtp.mail('"<img/src=x/onerror=window.ran=1>"@example.com', [f"SIZE={10**9}"])
        assert code == 552


def test_nothing_runs_on_any_page(stack: Stack, browser: Browser) -> None:
    desk = Desk(browser, stack.url.rstrip("/"), viewport={"width": 1400, "height": 850})
    desk.log_in("anna")
    page = desk.page

    def inert() -> None:
        assert page.evaluate("window.ran") is None
        assert page.locator("main script, main img, main iframe, main b").count() == 0
        assert not {"\u202e", "\u2066", "\x1b", "\x07"} & set(page.locator("body").inner_text())

    for path in ("overview", "mail-in", "pending", "pending/groups?by=reason", "delivery", "rejected",
                 "quarantine?each=1", "system/audit", "system/nodes", f"mail-in?q={RUN}"):  # fmt: skip
        page.goto("/" + path)
        inert()
    page.goto("/quarantine")
    identifiers = page.locator("a.id").all_inner_texts()
    assert len(identifiers) == 3
    for identifier in identifiers:
        page.goto(f"/message/{identifier}")
        expect(page.locator("main")).to_contain_text("<script>window.ran=1")
        inert()
        page.get_by_role("link", name="Header and content").click()
        page.get_by_role("button", name="Show header and content").click()
        expect(page.locator("main")).to_contain_text("<script>window.ran=1", timeout=20_000)
        inert()
        desk.shot(f"hostile-{identifier}")
    desk.close()  # fails when anything was asked of others, or an error was reported


@pytest.mark.parametrize("path", ["mail-in.csv", "pending.csv", "rejected.csv"])
def test_a_table_file_has_no_formula_in_it(stack: Stack, browser: Browser, path: str) -> None:
    desk = Desk(browser, stack.url.rstrip("/"))
    desk.log_in("anna")
    text = desk.context.request.get("/" + path).text()
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) > 1
    assert not [cell for row in rows[1:] for cell in row if cell.lstrip()[:1] in ("=", "+", "@", "\t")]
    assert "\x1b" not in text and "\u202e" not in text
    desk.close()


@pytest.mark.parametrize("command", [("mail-in",), ("quarantine",), ("pending",), ("rejected",), ("show",)])
def test_the_terminal_is_not_driven(stack: Stack, command: tuple[str, ...]) -> None:
    if command == ("show",):
        command = ("show", stack.mailweir("quarantine").split()[-1])
    said = stack.mailweir(*command)
    assert "script" in said
    assert not {"\x1b", "\x07", "\u202e", "\u2066"} & set(said)
