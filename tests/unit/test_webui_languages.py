"""Every text of the pages stands in every catalogue, translated and compiled; nothing is marked unsafely."""

import ast
import importlib.machinery
import importlib.util
import io
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from markupsafe import escape

from mailweir.records import ids, reasons
from mailweir.webui import words
from tests.unit.webui_client import Pages, hidden

WEBUI = Path(__file__).parents[2] / "webui"
CATALOGUES = sorted(WEBUI.glob("translations/*/LC_MESSAGES/messages.po"))
VARIABLE = re.compile(r"%\((\w+)\)s")


def update() -> Any:
    """The script that brings the catalogues up to date, as a module."""
    loader = importlib.machinery.SourceFileLoader("update", str(WEBUI / "translations" / "update"))
    spec = importlib.util.spec_from_loader("update", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def texts() -> Catalog:
    """All texts, extracted from the code as it is now."""
    made: Catalog = update().template()
    return made


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


def test_what_is_wrong_with_a_form_or_a_search_is_said_in_the_users_language(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    client, german = pages.as_user("administrator"), {"Accept-Language": "de"}
    for query, german_words, english in (
        ("status:lost", "status: &#39;lost&#39; ist keiner der Werte", "is none of"),
        ("before:soon", "&#39;soon&#39; ist kein Datum", "is no date"),
        ('"open', "am Ende der Suche fehlt ein Anführungszeichen", "is missing at the end"),
    ):
        page = client.get("/mail-in", query_string={"q": query}, headers=german).text
        assert german_words in page and english not in page
        assert english in client.get("/mail-in", query_string={"q": query}).text
    path = "/policies/default/0/filtering"
    form = hidden(client.get(path).text) | {"inbound.list": "good.example\n<b> x until never"}
    page = client.post(path, data=form, headers=german).text
    assert "Liste inbound, Zeile 2: &#39;&lt;b&gt; x until never&#39; ist weder ADRESSE noch DOMAIN" in page
    assert "inbound list, line 2: " in client.post(path, data=form).text
    answer = client.get("/api/v1/mail-in?limit=x", headers=german)
    assert answer.json is not None and "ist" not in answer.json["error"].split()


def test_every_error_that_pages_show_can_be_extracted() -> None:
    """Its text is written out where it is raised, or marked for translation there."""
    module, house = update(), WEBUI.parent
    paths = [house / room / name for room, names in module.ERRORS.items() for name in names]
    calls = [
        node
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in module.KINDS
    ]
    assert len(calls) > 50
    for call in calls:
        text = ast.unparse(call.args[0])
        assert isinstance(call.args[0], ast.Constant) or text.startswith(("_(", "_LINES")), text


def test_errors_of_the_web_itself_are_told_in_our_own_words(tmp_path: Path) -> None:
    client = Pages(tmp_path).as_user("viewer")
    told = {
        "de": ("Hier ist nichts, oder Sie dürfen es nicht sehen.", "nur für Formulare", "zu lange offen"),
        "en": ("There is nothing here, or it is not yours to see.", "for forms only", "open for too long"),
    }
    for language, wanted in told.items():
        spoken = {"Accept-Language": language}
        answers = [
            client.get("/no/such/page", headers=spoken),
            client.get("/logout", headers=spoken),
            client.post("/saved", headers=spoken),
        ]
        assert [answer.status_code for answer in answers] == [404, 405, 400]
        for answer, words_ in zip(answers, wanted, strict=True):
            assert words_ in answer.text
    refused = client.get("/system/users", headers={"Accept-Language": "de"})
    assert "Dafür braucht man die Rolle Administrator; Ihre ist " in refused.text
