"""The tree of a message's parts, and the audit trail beside it."""

from __future__ import annotations

import time
from pathlib import Path

from mailweir.records import audit, ids, models
from mailweir.records.models import Address, Recipient, User
from mailweir.records.search import AttachmentRow, FindingRow
from mailweir.webui.contents import MOST_DEEP, Part, tree
from tests.unit.webui_client import Pages


def drawn(parts: list[Part], depth: int = 0) -> list[str]:
    """A line for each part: its depth, label, attachment and findings."""
    lines = []
    for part in parts:
        name = f" [{part.attachment.name}]" if part.attachment else ""
        kinds = "".join(f" !{one.kind}" for one in part.findings)
        lines += [f"{'  ' * depth}{part.label}{name}{kinds}", *drawn(part.parts, depth + 1)]
    return lines


def attachment(part: str, name: str) -> AttachmentRow:
    return AttachmentRow(part, name, "application/zip", 9, "a" * 64)


def finding(part: str, kind: str) -> FindingRow:
    return FindingRow(kind, part, part.rpartition("/")[2], "")


def test_parts_hang_below_what_they_are_in() -> None:
    found = tree(
        [attachment("10/z.zip", "z.zip"), attachment("2/report.zip", "report.zip"), attachment("3", "")],
        [
            finding("2/report.zip/inner/q3.xlsm", "macro"),
            finding("2/report.zip/inner/locked.zip", "encrypted-zip"),
            finding("2/report.zip", "limit-exceeded"),
            finding("10/z.zip/a/b/c.doc", "tracking"),
            finding("", "virus"),
        ],
    )
    assert drawn(found) == [
        " !virus",
        "2/report.zip [report.zip] !limit-exceeded",
        "  inner",
        "    locked.zip !encrypted-zip",
        "    q3.xlsm !macro",
        "3 []",
        "10/z.zip [z.zip]",
        "  a/b/c.doc !tracking",
    ]


def test_a_path_of_any_length_is_a_tree_of_bounded_depth() -> None:
    (part,) = tree([], [finding("/".join("x" * 5000), "corrupt"), finding("/" * 3000, "macro")][:1])
    assert part.label.count("/") == 4999 and [one.kind for one in part.findings] == ["corrupt"]
    nested = [attachment("/".join("y" * depth), "") for depth in range(1, 500)]
    lines = drawn(tree(nested, []))
    assert max(len(line) - len(line.lstrip()) for line in lines) == 2 * MOST_DEEP
    assert tree([], []) == []


def test_the_messages_page_shows_tree_and_audit(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    number = pages.world.stalled
    for name, detail in (("reason", "asked <b>twice</b>"), ("domains", "")):
        audit.append(
            models.database.obj, clock=time.time, who="somebody", ip="192.0.2.7", what="force requested",
            message_id=number, detail={name: detail},
        )  # fmt: skip
    audit.append(
        models.database.obj, clock=time.time, who="another", ip="", what="retry requested", message_id=1
    )
    path = f"/message/{ids.to_text(number)}"
    page = pages.as_user("viewer").get(path).text
    assert '<ul class="tree">' in page and "encrypted-zip" in page.partition('<ul class="tree">')[2]
    assert page.count("force requested") == 2 and "192.0.2.7" in page and "another" not in page
    assert "reason: asked &lt;b&gt;twice&lt;/b&gt;" in page
    first = Recipient.get(Recipient.message_id == number)
    User.update(domains=Address.get_by_id(first.address_id).address.rpartition("@")[2]).where(
        User.name == "viewer"
    ).execute()
    page = pages.as_user("viewer").get(path).text
    assert '<ul class="tree">' in page and "force requested" not in page
