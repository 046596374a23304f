"""`mailweir --server` prints what the command prints on the server, over TLS, and keeps its token safe."""

from __future__ import annotations

import dataclasses
import http.server
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from mailweir import cli
from mailweir.config import load
from mailweir.errors import InputError, Unavailable
from mailweir.records import db, ids, models, remote, search
from mailweir.records.filters import FIELDS, REJECTED_FIELDS, Filter
from mailweir.records.models import ApiToken, Reject
from mailweir.webui import accounts
from mailweir.webui.create_app import create_app
from mailweir.webui.profile import digest
from tests.browser.seed import World, sow

TOKEN = "the-secret-token-of-anna"
LISTS = ("mail-in", "pending", "delivery", "quarantine", "rejected")


@dataclasses.dataclass
class Here:
    """A server with TLS over the seeded world, and the files that name it."""

    url: str
    world: World
    directory: Path

    @property
    def token(self) -> Path:
        return self.directory / "token"

    def run(self, *arguments: str, there: bool) -> Result:
        """A command in this process, on the database or by the server; its errors come as exceptions."""
        options = ["--server", self.url, "--token-file", str(self.token)] if there else []
        env = {
            "MAILWEIR_STATE_DIR": str(self.directory / ("nothing" if there else "state")),
            "SSL_CERT_FILE": str(self.directory / "cert.pem"),
        }
        return CliRunner().invoke(cli.mailweir, [*options, *arguments], env=env)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """The server, in a thread of this process."""
    directory = tmp_path_factory.mktemp("remote")
    config = dataclasses.replace(load(None, {}), state_dir=str(directory / "state"))
    database = db.connect(config)
    world = sow(time.time(), extra=5)
    user = accounts.add("anna", "correct horse battery", role="viewer", clock=time.time)
    ApiToken.create(user_id=user.id, name="t", digest=digest(TOKEN), created=time.time())
    Reject.create(
        id=ids.first_id(int(time.time() * 1000)), node_id=0, stage="RCPT", client_ip="192.0.2.7",
        client_name="\x1b[31mbad", helo="x", code=550, dsn="5.1.1", reply="550 5.1.1 unknown",
    )  # fmt: skip
    database.close()
    (directory / "token").touch(0o600)
    (directory / "token").write_text(TOKEN + "\n")
    certificate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    certificate += [
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    subprocess.run(
        [*certificate, "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    app = create_app(config)
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Here(f"https://localhost:{server.port}", world, directory)
    server.shutdown()
    thread.join()
    server.server_close()
    models.database.initialize(None)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--json",),
        ("--all", "--json"),
        ("--limit", "3", "--json"),
        ("--after", "yesterday", "--before", "1m", "--json"),
        ("from:@partner.example", "--json"),
    ],
)
@pytest.mark.parametrize("name", LISTS)
def test_lists_are_the_same_as_on_the_server(here: Here, name: str, options: tuple[str, ...]) -> None:
    local, distant = (here.run(name, *options, there=there) for there in (False, True))
    assert (local.exit_code, distant.exit_code) == (0, 0), (local.exception, distant.exception)
    assert distant.output == local.output
    assert local.output or "from:@partner.example" in options
    assert not (here.directory / "nothing").exists(), "no database is made where none is asked"


@pytest.mark.parametrize("by", ["destination", "reason", "status"])
def test_groups_are_the_same(here: Here, by: str) -> None:
    for form in ((), ("--json",)):
        command = ("pending-groups", "--by", by, *form)
        local, distant = (here.run(*command, there=there) for there in (False, True))
        assert distant.output == local.output, distant.exception
        assert local.output.count("\n") >= 2


def test_a_search_of_many_pages_is_the_same(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    local = here.run("delivery", "--all", "--json", there=False).output
    monkeypatch.setattr(remote, "PAGE", 4)
    assert here.run("delivery", "--all", "--json", there=True).output == local
    assert local.count("\n") > 12


def test_show_and_session_are_the_same_by_any_name(here: Here) -> None:
    models.database.connect(reuse_if_open=True)
    view = search.message(here.world.failed)
    assert view is not None
    names = [ids.to_text(number) for number in (here.world.stalled, here.world.hostile, here.world.outbound)]
    names += [view.legs[0].queue_id, view.message_id]
    models.database.close()
    commands = [("show", name) for name in names]
    commands += [("session", ids.to_text(number)) for number in here.world.sessions[:2]]
    for command in commands:
        for form in ((), ("--json",)):
            local, distant = (here.run(*command, *form, there=there) for there in (False, True))
            assert (local.exit_code, distant.exit_code) == (0, 0), (command, distant.exception)
            assert distant.output == local.output, command
    for command in (("show", "4ZqNOBODYzKk"), ("show", "a/b c@x"), ("session", names[0])):
        local, distant = (here.run(*command, there=there) for there in (False, True))
        assert str(distant.exception) == str(local.exception), command
        assert isinstance(distant.exception, InputError)


def test_every_field_of_a_search_reaches_the_server() -> None:
    given = {
        "from": "anna@", "to": ".example.org", "subject": "a b", "text": '"two words" x', "ip": "1.2.",
        "status": "deferred,failed,sent", "direction": "inbound,internal", "queue": "4Zq",
        "id": ids.to_text(5), "message-id": "<a/b@x>", "file": "x.zip", "verdict": "stall",
        "before": "2026-11-24T16:05", "after": "2026-11-20", "node": "0", "client": "mx.", "helo": "h",
        "code": "5.7",
    }  # fmt: skip
    assert set(given) == {*FIELDS, *REJECTED_FIELDS}
    for known in (FIELDS, REJECTED_FIELDS):
        fields = {name: value for name, value in given.items() if name in known}
        wanted = search.from_fields(fields, now=0.0, known=known)
        again = search.from_fields(remote.as_fields(wanted), now=9.0, known=known)
        assert again == wanted != Filter()


def test_what_is_wrong_is_said_and_the_token_is_not(here: Here) -> None:
    assert "is no date" in str(here.run("mail-in", "after:soon", there=True).exception)
    options = ["--server", here.url, "--token-file", str(here.token)]
    run = CliRunner().invoke
    untrusted = run(cli.mailweir, [*options, "pending"], env={"SSL_CERT_FILE": "/dev/null"})
    assert isinstance(untrusted.exception, Unavailable) and "certificate verify failed" in str(
        untrusted.exception
    )
    named = run(
        cli.mailweir,
        ["--server", here.url.replace("localhost", "127.0.0.1"), *options[2:], "pending"],
        env={"SSL_CERT_FILE": str(here.directory / "cert.pem")},
    )
    assert "certificate" in str(named.exception), "the name must be the certificate's"
    for arguments, words in (
        ([*options, "agent"], "works only where Mailweir runs"),
        ([*options, "force", "x"], "works only where Mailweir runs"),
        (["--server", here.url, "pending"], "belong together"),
    ):
        answer = run(cli.mailweir, arguments)
        assert answer.exit_code == 2 and words in answer.output
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("mailweir")),
            "--server",
            "https://localhost:1",
            *options[2:],
            "pending",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75 and done.stderr.count("\n") == 1 and "cannot be reached" in done.stderr
    assert TOKEN not in done.stderr + repr(remote.server(here.url, here.token))


@pytest.mark.parametrize(
    ("url", "mode", "content", "words"),
    [
        ("http://mail.example.com", 0o600, "x", "use https://"),
        ("ftp://localhost", 0o600, "x", "is no address"),
        ("https://anna:secret@localhost", 0o600, "x", "is no address"),
        ("https://localhost", 0o640, "x", "chmod 600"),
        ("https://localhost", 0o600, "", "holds no token"),
        ("https://localhost", 0o600, "two words", "holds no token"),
        ("https://localhost", 0o600, "caf\u00e9", "cannot be read"),
    ],
)
def test_an_unsafe_address_or_file_is_refused(
    tmp_path: Path, url: str, mode: int, content: str, words: str
) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(InputError, match=words):
        remote.server(url, file)
    with pytest.raises(InputError, match="cannot be read"):
        remote.server("https://localhost", tmp_path / "missing")


class Other(http.server.BaseHTTPRequestHandler):
    """A server that is no Mailweir; it answers as the test says, and keeps what it was asked."""

    answer: ClassVar[tuple[int, dict[str, str], bytes]] = (200, {}, b"")
    asked: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append({"path": self.path, **self.headers})
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((401, {}, b"{}"), InputError, "does not take the token"),
        ((302, {"Location": "/elsewhere"}, b""), InputError, "redirects to /elsewhere"),
        ((200, {}, b"<html>"), Unavailable, "is not Mailweir"),
        ((200, {}, b"[]"), Unavailable, "is not Mailweir"),
        ((200, {}, b"{}"), Unavailable, "is not Mailweir"),
        ((404, {}, b"nothing"), Unavailable, "is not Mailweir"),
        ((400, {}, b'{"error": "\\u001b[31mno"}'), InputError, r"\\x1b\[31mno"),
        ((403, {}, b'{"error": "not yours"}'), InputError, "not yours"),
        ((503, {}, b'{"error": "the database rests"}'), Unavailable, "the database rests"),
        ((502, {}, b"<html>"), Unavailable, "try again later"),
    ],
)
def test_other_answers_are_explained_and_nobody_else_gets_the_token(
    tmp_path: Path, answer: tuple[int, dict[str, str], bytes], kind: type[Exception], words: str
) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(TOKEN)
    Other.answer, Other.asked = answer, []
    server = http.server.HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        there = remote.server(f"http://127.0.0.1:{server.server_port}", file)
        with pytest.raises(kind, match=words):
            list(there.rows("pending", Filter(), 5))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [asked["path"] for asked in Other.asked] == ["/api/v1/pending?limit=5"]
    assert TOKEN not in Other.asked[0]["path"]
