"""A scan as people read it on a terminal: the tree of parts, the findings in it, the verdict and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from mailweir.content.findings import Class, Finding, Scan
from mailweir.plain import visible

if TYPE_CHECKING:
    from mailweir.policies.verdict import Verdict

_COLOURS = {Class.INFECTED: "red", Class.ENCRYPTED: "yellow", Class.UNSCANNABLE: "yellow"}
_VERDICTS = {"accept": "green", "stall": "yellow"}
_SHOWN = 200  # parts of one file


@dataclass
class _Node:
    part: str
    label: str = ""
    findings: list[Finding] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)


def text(
    name: str, tree: Iterable[tuple[str, str, int]], result: Scan, verdict: Verdict, *, traced: bool
) -> str:
    """Several lines; tree holds part, format and size of each thing that was looked at."""
    colour = _VERDICTS.get(verdict.action.value, "red")
    lines = [f"{visible(name)}: {click.style(verdict.action.value, fg=colour)}"]
    if verdict.reason:
        lines[0] += f", {visible(verdict.reason)}"
    nodes = _nodes(tree, result.findings)
    lines += _drawn(nodes[:_SHOWN], "")
    if len(nodes) > _SHOWN:
        lines.append(f"… and {len(nodes) - _SHOWN} more")
    if result.unavailable:
        lines.append("  " + click.style(visible(result.unavailable), fg="red"))
    if traced:
        lines.append("  " + visible(verdict.trace.sentence()))
    return "\n".join(lines)


def _nodes(tree: Iterable[tuple[str, str, int]], findings: Iterable[Finding]) -> list[_Node]:
    """The outermost parts, each with what is in it; a part's path begins with that of the one around it."""
    every: dict[str, _Node] = {}
    roots: list[_Node] = []
    for part, format_, size in tree:
        _place(every, roots, part).label = f"{format_ or 'not opened'}, {_size(size)}"
    for finding in findings:
        _place(every, roots, finding.part).findings.append(finding)
    return roots


def _place(every: dict[str, _Node], roots: list[_Node], part: str) -> _Node:
    """The part's node, hung below the nearest part around it when it is new."""
    if part not in every:
        node = every[part] = _Node(part)
        above = part
        while above := above[: max(above.rfind("/"), above.rfind("."), 0)]:
            if above in every:
                every[above].children.append(node)
                return node
        roots.append(node)
    return every[part]


def _drawn(nodes: list[_Node], indent: str, above: str = "") -> list[str]:
    lines = []
    for node in nodes:
        last = node is nodes[-1]
        name = node.part[len(above) + 1 :] if above else node.part
        label = f"  ({node.label})" if node.label else ""
        lines.append(f"{indent}{'└─' if last else '├─'} {visible(name) or 'the whole'}{label}")
        inner = indent + ("   " if last else "│  ")
        for finding in node.findings:
            kind = click.style(finding.kind, fg=_COLOURS[finding.cls], bold=True)
            lines.append(f"{inner}! {kind}{': ' if finding.detail else ''}{visible(finding.detail)}")
        lines += _drawn(node.children, inner, node.part)
    return lines


def _size(size: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000  # type: ignore[assignment]
    return f"{size:.1f} GB"
