"""The small decisions behind the pages: safe return paths, words for times and sizes, the cookie key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailweir.webui import access, text
from mailweir.webui.create_app import secret_key
from mailweir.webui.session import talk


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/mail-in\r\nSet-Cookie: x=1",
        "/\t/evil.example",
        "mail-in",
        "",
        None,
    ],
)
def test_no_return_path_leads_to_another_site(target: str | None) -> None:
    assert access.local_path(target, "/start") == "/start"


def test_a_path_on_this_site_is_returned_to() -> None:
    assert access.local_path("/mail-in?q=from:a@b.example", "/start") == "/mail-in?q=from:a@b.example"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (0.42, "0.4 s"), (59.9, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (93_600, "1 d 2 h")],
)
def test_spans(seconds: float, words: str) -> None:
    assert text.span(seconds) == words


@pytest.mark.parametrize(
    ("octets", "words"),
    [(0, "0 B"), (999, "999 B"), (4821, "4.8 KB"), (482_113, "482 KB"), (31_000_000, "31.0 MB")],
)
def test_sizes(octets: int, words: str) -> None:
    assert text.size(octets) == words


def test_workers_that_start_together_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "state" / "web-secret"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(path), range(8)))
    assert len(keys) == 1 and len(keys.pop()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["web-secret"]


def test_a_conversation_shows_who_spoke_and_how_it_went() -> None:
    lines = talk(["> MAIL FROM:<a@b>", "< 250 2.1.0 Ok", "< 451 4.7.1 later", "< 550-5.1.1 no", "connected"])
    assert [(line.mark, line.kind) for line in lines] == [
        (">", "ours"),
        ("<", "theirs"),
        ("<", "waits"),
        ("<", "refused"),
        ("", "theirs"),
    ]
