"""Reads Authentication-Results header fields (RFC 8601) of the servers that the settings trust.

Only what policies need is kept: which domains are proven to have sent the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailweir.milter.headers import LONGEST
from mailweir.plain import visible

# Which property of which method names the domain that a "pass" proves.
_PROVES = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom",), "dmarc": ("header.from",)}
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s=;"]+)|([=;])')


def results_of(values: Iterable[bytes], trusted: Sequence[str]) -> list[dict[str, str]]:
    """What trusted fields say: one {"method", "result", and properties such as "header.d"} a result."""
    wanted = {name.lower() for name in trusted}
    if not wanted:
        return []
    found: list[dict[str, str]] = []
    for value in values:
        server, _, rest = _without_comments(value[:LONGEST].decode("utf-8", "replace")).partition(";")
        name = server.split()[:1]  # a version number may follow
        if name and name[0].strip('"').lower() in wanted:
            found += [result for part in _statements(rest) if (result := _result(part))]
    return found


def domains_of(results: Iterable[dict[str, str]]) -> frozenset[str]:
    """The domains that dkim, spf or dmarc prove, in lower case."""
    domains = set()
    for result in results:
        if result["result"] == "pass":
            for name in _PROVES.get(result["method"], ()):
                domains.add(result.get(name, "").rpartition("@")[2].lower().rstrip("."))
    return frozenset(domains - {""})


def stored(authres: object) -> list[dict[str, str]]:
    """The results in what the records keep of a message (milter/entry.py); none for what is no such thing."""
    results = authres.get("results") if isinstance(authres, dict) else None
    if not isinstance(results, list):
        return []
    return [one for one in results if isinstance(one, dict) and {"method", "result"} <= one.keys()]


def in_words(results: Iterable[dict[str, str]]) -> list[str]:
    """For people: method, result and the domain that it is about, such as "dkim pass example.org"."""
    told = []
    for result in results:
        named = (result[name] for name in _PROVES.get(result["method"], ()) if name in result)
        domain = next(named, "").rpartition("@")[2]
        told.append(visible(f"{result['method']} {result['result']} {domain}".rstrip()))
    return told


def _without_comments(text: str) -> str:
    """Drop (comments), which may be nested, but not what stands in a quoted string."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text:
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"' and not depth:
            quoted = not quoted
        elif not quoted and character == "(":
            depth += 1
            continue
        elif not quoted and character == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(character)
    return "".join(kept)


def _statements(text: str) -> list[list[tuple[str, bool]]]:
    """The tokens of each statement, with whether they are separators."""
    statements: list[list[tuple[str, bool]]] = [[]]
    for match in _TOKEN.finditer(text):
        if match[3] == ";":
            statements.append([])
        elif match[3]:
            statements[-1].append(("=", True))
        else:
            text_of = match[2] if match[2] is not None else re.sub(r"\\(.)", r"\1", match[1])
            statements[-1].append((text_of, False))
    return statements


def _result(tokens: list[tuple[str, bool]]) -> dict[str, str]:
    """method=result property=value …; empty for what is not a result (such as "none")."""
    pairs = [
        (tokens[place - 1][0].lower(), tokens[place + 1][0])
        for place in range(1, len(tokens) - 1)
        if tokens[place] == ("=", True) and not tokens[place - 1][1] and not tokens[place + 1][1]
    ]
    if not pairs:
        return {}
    method, result = pairs[0]
    return {**dict(pairs[1:]), "method": method.partition("/")[0], "result": result.lower()}
