"""Every text of the pages stands in every catalogue, translated and compiled; nothing is marked unsafely."""

import importlib.machinery
import importlib.util
import io
import re
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from markupsafe import escape

from mailweir.records import ids, reasons
from mailweir.webui import words
from tests.unit.webui_client import Pages

WEBUI = Path(__file__).parents[2] / "webui"
CATALOGUES = sorted(WEBUI.glob("translations/*/LC_MESSAGES/messages.po"))
VARIABLE = re.compile(r"%\((\w+)\)s")


def template() -> Catalog:
    """All texts, extracted from the code as it is now."""
    loader = importlib.machinery.SourceFileLoader("update", str(WEBUI / "translations" / "update"))
    spec = importlib.util.spec_from_loader("update", loader)
    assert spec
    update = importlib.util.module_from_spec(spec)
    loader.exec_module(update)
    made: Catalog = update.template()
    return made


@pytest.fixture(scope="module")
def texts() -> Catalog:
    """The same, extracted once."""
    return template()


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_text_is_translated_and_compiled(path: Path, texts: Catalog) -> None:
    catalog = read_po(io.BytesIO(path.read_bytes()), locale=path.parts[-3])
    compiled = read_mo(io.BytesIO(path.with_suffix(".mo").read_bytes()))
    assert len(texts) > 400
    for wanted in texts:
        if not wanted.id:
            continue
        found = catalog.get(wanted.id)
        assert found is not None, f"{wanted.id}: run webui/translations/update"
        strings = found.string if isinstance(found.string, tuple) else (found.string,)
        assert all(strings), f"{wanted.id} is not translated"
        originals = wanted.id if isinstance(wanted.id, tuple) else (wanted.id,)
        for string, original in zip(strings, originals, strict=True):
            assert set(VARIABLE.findall(string)) == set(VARIABLE.findall(original)), wanted.id
            assert "<" not in string, f"{wanted.id}: _() is not escaped"
        ready = compiled[wanted.id].string
        assert (tuple(ready) if isinstance(ready, list) else ready) == found.string, wanted.id
    assert {message.id for message in catalog} == {message.id for message in texts}


def test_there_is_german() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["de"]


def test_words_in_variables_are_looked_up_only_by_the_filter_that_escapes() -> None:
    for path in WEBUI.glob("templates/**/*.html"):
        for call in re.findall(r"(?<![\w.])_\(\s*(.)", path.read_text()):
            assert call in "\"'", f"{path.name}: _() with a variable is not escaped; use | say"


def test_all_words_in_variables_are_in_the_catalogue(texts: Catalog) -> None:
    assert set(words.spoken()) <= {message.id for message in texts}


def test_a_german_page_explains_replies_and_policies_in_german(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    client = pages.as_user("operator")
    german = {"Accept-Language": "de"}
    failed = client.get(f"/message/{ids.to_text(pages.world.failed)}", headers=german).text
    assert "kein solches Postfach" in failed and "Die Adresse des Empfängers.)" in failed
    assert "no such mailbox on" not in failed
    stalled = client.get(f"/message/{ids.to_text(pages.world.stalled)}", headers=german).text
    assert "Eine Richtlinie hat ihren Inhalt angehalten" in stalled and "wurde gefunden, und" in stalled
    assert "stopped by a policy" not in stalled and "was found, and" not in stalled
    reference = client.get("/reasons", headers=german).text
    assert not [text for text in reasons.texts() if f">{escape(text)}<" in reference]
    assert "There is no such mailbox" in client.get("/reasons").text
