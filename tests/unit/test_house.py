"""The house keeps its order: links, imports, documents that are made from the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mailweir import config
from mailweir.cli import COMMANDS

HOUSE = Path(__file__).parents[2]
ROOMS = ("agent", "content", "milter", "policies", "postlog", "records", "webui")
SOURCES = sorted(
    path
    for folder in (*ROOMS, "mailweir", "tests", "bench", "postfix-example")
    for path in (HOUSE / folder).rglob("*.py")
    if "/mailweir/" not in path.as_posix().removeprefix(HOUSE.as_posix()) or path.parent == HOUSE / "mailweir"
)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_links(room: str) -> None:
    link = HOUSE / "mailweir" / room
    assert link.is_symlink()
    assert link.readlink() == Path("..", room)


def test_rooms_have_no_init() -> None:
    """milter/__init__.py would hide pymilter's C module; the others stay alike."""
    for room in ROOMS:
        assert not list((HOUSE / room).rglob("__init__.py")), room
    import Milter  # noqa: F401 - dies when something hides its C module


def test_imports_go_through_the_package() -> None:
    """Under two names a module would be loaded twice."""
    assert len(SOURCES) > 40
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}:{node.lineno} imports relatively"
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in set(ROOMS) - {"milter"}, (
                    f"{path}:{node.lineno} imports {name}"
                )


def test_only_known_errors_are_defined() -> None:
    """What a person may see is one of the few kinds of mailweir/errors.py."""
    for path in SOURCES:
        room = path.relative_to(HOUSE).parts[0]
        if room not in ROOMS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            for base in bases:
                assert base not in ("MailweirError", "ConfigError", "InputError", "Unavailable", "Refused"), (
                    path
                )


def test_settings_page() -> None:
    """When this fails: mailweir config reference > docs/settings.md"""
    assert (HOUSE / "docs/settings.md").read_text() == config.reference()


def test_every_command_is_in_the_docs() -> None:
    page = (HOUSE / "docs/cli.md").read_text()
    assert set(re.findall(r"^## `mailweir ([a-z-]+)", page, re.MULTILINE)) == set(COMMANDS)


def test_nothing_is_left_undone() -> None:
    marks = re.compile(
        r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|pytest\.(skip|xf" + r"ail)|mark\.(skip|xf" + r"ail)"
    )
    for path in SOURCES:
        found = marks.search(path.read_text())
        assert found is None, f"{path}: {found}"
