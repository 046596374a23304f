"""What was found in a message, as a tree of its parts: attachments, the files within them, findings at each.

The records hold paths ("2/report.zip/inner/q3.xlsm"); the tree shows whatever stands at one of them, and what
merely leads there is written in front of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mailweir.records.search import AttachmentRow, FindingRow

MOST_DEEP = 8  # levels; what is deeper is written as one name
Key = tuple[int, int, str]


@dataclass
class Part:
    """One place in the message: what leads there from the part around it, and what is known of it."""

    label: str
    attachment: AttachmentRow | None = None
    findings: list[FindingRow] = field(default_factory=list)
    by_name: dict[str, Part] = field(default_factory=dict, repr=False)
    parts: list[Part] = field(default_factory=list)

    @property
    def is_told_of(self) -> bool:
        """Whether there is anything to show of it."""
        return self.attachment is not None or bool(self.findings)


def tree(attachments: Iterable[AttachmentRow], findings: Iterable[FindingRow]) -> list[Part]:
    """The outermost parts in their order; what is about the message as a whole has an empty label."""
    root = Part("")
    for attachment in attachments:
        _at(root, attachment.part).attachment = attachment
    for finding in findings:
        _at(root, finding.part).findings.append(finding)
    whole = [Part("", findings=root.findings)] if root.findings else []
    return whole + _joined(root).parts


def _at(root: Part, path: str) -> Part:
    node = root
    for name in path.split("/", MOST_DEEP) if path else ():
        node = node.by_name.setdefault(name, Part(name))
    return node


def _joined(node: Part) -> Part:
    """The same without the steps of which nothing is told and that lead to one part only."""
    for one in map(_joined, node.by_name.values()):
        if not one.is_told_of and len(one.parts) == 1:
            inner = one.parts[0]
            inner.label = f"{one.label}/{inner.label}"
            one = inner
        node.parts.append(one)
    node.parts.sort(key=lambda one: [_order(step) for step in one.label.split("/")])
    return node


def _order(step: str) -> Key:
    """Part 10 comes after part 9; names come after numbers."""
    return (0, int(step), "") if step.isdecimal() and len(step) < 10 else (1, 0, step)
