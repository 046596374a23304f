"""`mailweir scan`: its JSON, its exit code, its tree, and what it needs to run."""

from __future__ import annotations

import io
import json
import os
import threading
import zipfile
from pathlib import Path

import pytest
import pyzipper
from click.testing import CliRunner, Result

from mailweir.cli import mailweir
from mailweir.policies.scopes import PolicySet

HEAD = b"From: a@example.com\r\nTo: b@example.org\r\nSubject: x\r\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A runner whose state directory and clamd are nowhere."""
    monkeypatch.setenv("MAILWEIR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MAILWEIR_CLAMD_SERVERS", f"unix:{tmp_path}/no-clamd")
    return CliRunner()


def scan(run: CliRunner, *arguments: object) -> Result:
    return run.invoke(mailweir, ["scan", *map(str, arguments)], catch_exceptions=False)


def locked(path: Path, password: str = "secret", content: bytes = b"figures") -> Path:
    with pyzipper.AESZipFile(
        path, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(password.encode())
        archive.writestr("figures.txt", content)
    return path


def test_one_json_object_a_line_for_each_file(run: CliRunner, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("words\n")
    result = scan(run, "--no-clamd", "--json", locked(tmp_path / "a.zip"), plain)
    one, two = map(json.loads, result.stdout.splitlines())
    assert one == {
        "file": str(tmp_path / "a.zip"),
        "verdict": "stall",
        "findings": [
            {
                "class": "encrypted",
                "kind": "encrypted-zip",
                "part": "a.zip",
                "name": "a.zip",
                "detail": "AES: 1 of 1 files, figures.txt",
            }
        ],
    }
    assert two == {"file": str(plain), "verdict": "accept", "findings": []}
    assert result.exit_code == 0


def test_an_eml_is_a_message_and_anything_else_an_attachment(run: CliRunner, tmp_path: Path) -> None:
    data = locked(tmp_path / "a.zip").read_bytes()
    message = HEAD + b"Content-Type: application/zip; name=b.zip\r\n\r\n" + data
    for name, part in (("m.eml", "1/b.zip"), ("m.txt", "1/b.zip"), ("a.zip", "a.zip")):
        if name != "a.zip":
            (tmp_path / name).write_bytes(message)
        found = json.loads(scan(run, "--no-clamd", "--json", tmp_path / name).stdout)["findings"]
        assert [finding["part"] for finding in found] == [part]


def test_no_virus_scanner_means_defer(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    answer = json.loads(scan(run, "--json", tmp_path / "a.txt").stdout)
    assert (answer["verdict"], answer["findings"]) == ("defer", [])
    assert "no-clamd" in answer["unavailable"]


def test_a_missing_file_does_not_stop_the_others(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    result = scan(run, "--no-clamd", "--json", tmp_path / "missing", tmp_path, tmp_path / "a.txt")
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [str(tmp_path / "a.txt")]
    assert "No such file" in result.stderr
    assert result.exit_code == 64


def test_a_pipe_is_read_to_its_end(run: CliRunner, tmp_path: Path) -> None:
    data = locked(tmp_path / "a.zip").read_bytes()
    os.mkfifo(tmp_path / "pipe.zip")
    writer = threading.Thread(target=(tmp_path / "pipe.zip").write_bytes, args=(data,))
    writer.start()
    assert json.loads(scan(run, "--no-clamd", "--json", tmp_path / "pipe.zip").stdout)["verdict"] == "stall"
    writer.join()


def test_the_right_password_opens(run: CliRunner, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.txt", b"words" * 100)
    path = locked(tmp_path / "a.zip", content=inner.getvalue()[:-30])

    def kinds(*passwords: str) -> list[str]:
        options = [option for word in passwords for option in ("--password", word)]
        answer = json.loads(scan(run, "--no-clamd", "--json", *options, path).stdout)
        return [finding["kind"] for finding in answer["findings"]]

    assert kinds() == kinds("wrong") == ["encrypted-zip"]
    assert kinds("wrong", "secret") == ["corrupt"]  # of the archive within


def test_the_published_policies_decide_for_an_address(run: CliRunner, tmp_path: Path) -> None:
    path = locked(tmp_path / "a.zip")
    document = PolicySet.default().to_json()
    for scope in document["scopes"]:
        scope["fields"]["inbound.encrypted"] = "allow"
    if not document["scopes"]:
        fields = {"inbound.encrypted": "allow"}
        document["scopes"] = [{"scope": "default", "name": "", "members": [], "fields": fields, "allow": []}]
    (tmp_path / "state").mkdir()
    (tmp_path / "state/policies.json").write_text(json.dumps(document))
    assert json.loads(scan(run, "--no-clamd", "--json", path).stdout)["verdict"] == "stall"
    answer = json.loads(scan(run, "--no-clamd", "--json", "--recipient", "b@example.org", path).stdout)
    assert answer["verdict"] == "accept"
    assert answer["trace"]["field"] == "inbound.encrypted"


def test_the_tree_shows_hostile_names_harmlessly(run: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "outer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("in\x1b[31mner.zip", locked(tmp_path / "a.zip").read_bytes())
    lines = scan(run, "--no-clamd", path).stdout.splitlines()
    assert lines[0].endswith("outer.zip: stall, message is encrypted (encrypted-zip)")
    assert lines[1].startswith("└─ outer.zip  (zip, ")
    assert lines[2].startswith("   └─ in\\x1b[31mner.zip  (zip, ")
    assert lines[3].startswith("      ! encrypted-zip: AES")
    assert "\x1b" not in "".join(lines)
