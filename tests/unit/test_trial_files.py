"""The sample files are what they claim to be, judged by other people's libraries."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import docx
import olefile
import pikepdf
import pytest
import pyzipper
from oletools.olevba import VBA_Parser

from mailweir import config
from trial import files
from trial.compound import compound_file
from trial.postfix import EXAMPLES, master_entries


def test_the_zip_opens_with_its_password_only() -> None:
    with pyzipper.AESZipFile(io.BytesIO(files.encrypted_zip())) as archive:
        with pytest.raises(RuntimeError, match="encrypted"):
            archive.read("figures.txt")
        archive.setpassword(files.PASSWORD.encode())
        assert archive.read("figures.txt") == files.TEXT


def test_the_pdf_opens_with_its_password_only() -> None:
    packed = files.encrypted_pdf()
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(packed))
    assert len(pikepdf.open(io.BytesIO(packed), password=files.PASSWORD).pages) == 1


def test_the_document_has_tracked_changes() -> None:
    document = docx.Document(io.BytesIO(files.tracked_docx()))
    (paragraph,) = document.paragraphs
    assert paragraph.text == "We agree to pay "
    assert paragraph._p.xpath("count(w:ins) + count(w:del)") == 2


def test_the_workbook_has_a_macro() -> None:
    packed = files.macro_xlsm()
    assert "xl/vbaProject.bin" in zipfile.ZipFile(io.BytesIO(packed)).namelist()
    parser = VBA_Parser("sample.xlsm", data=packed)
    ((_, stream, _, code),) = parser.extract_macros()
    assert stream == "VBA/Module1"
    assert 'MsgBox "Hello from the trial"' in code


def test_a_compound_file_reads_back() -> None:
    streams = {"short": b"x", "exact": b"y" * 64, "longer name": b"z" * 1000}
    ole = olefile.OleFileIO(compound_file({"folder": {"inner": b"in"}, **streams}))
    assert sorted(ole.listdir()) == [["exact"], ["folder", "inner"], ["longer name"], ["short"]]
    assert {name: ole.openstream(name).read() for name in streams} == streams
    assert ole.openstream("folder/inner").read() == b"in"
    assert not ole.parsing_issues


def test_the_copyable_services_are_found_in_master_cf() -> None:
    entries = master_entries((EXAMPLES / "master.cf").read_text())
    assert list(entries) == [
        ("smtp", "unix"),
        ("relay", "unix"),
        ("127.0.0.1:10026", "inet"),
        ("127.0.0.1:10027", "inet"),
    ]
    assert "static:HOLD" in entries["127.0.0.1:10026", "inet"]


def test_the_example_settings_are_those_of_the_programs() -> None:
    """When this fails: mailweir config example > postfix-example/mailweir.toml"""
    assert (EXAMPLES / "mailweir.toml").read_text() == config.example()


def test_what_the_example_shows_can_be_switched_on(tmp_path: Path) -> None:
    """Every line of the example without its # gives the same settings as no file at all."""
    lines = (EXAMPLES / "mailweir.toml").read_text().splitlines()
    settings = [line.removeprefix("# ") for line in lines if re.match(r"# [a-z_]+ = |\[", line)]
    (tmp_path / "all.toml").write_text("\n".join(settings))
    assert len(settings) > len(list(config.settings()))
    assert config.load(tmp_path / "all.toml", {}) == config.Config()
