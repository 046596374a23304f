"""Words of a message's own text that may be the password to what it carries: many senders write it below.

Only used where content.try_body_passwords is on. Words that follow "password" in some language come first.
"""

from __future__ import annotations

import html
import re

_MARK = re.compile(
    r"(?:pass(?:word|wort|phrase|code)?|kennwort|pwd?|pin|code|mot de passe|contraseña|clave|senha|"
    r"wachtwoord|lösenord|adgangskode|hasło|heslo|пароль|密码|パスワード)\b[^\S\n]*(?:is|ist|lautet|est|es|:|=|：|-)*[^\S\n]*"
    r"[\"'“”„«»`]?([^\s\"'“”„«»`<>]{3,64})",
    re.I,
)
_WORD = re.compile(r"[^\s\"'“”„«»`<>]{4,64}")
_TAG = re.compile(r"<[^<>]*>")
_MOST = 1 << 16  # characters of text that are looked at


def candidates(text: bytes, limit: int) -> list[str]:
    """At most `limit` words, the likeliest first, each once."""
    plain = text[:_MOST].decode("utf-8", "replace")
    if "<" in plain:
        plain = html.unescape(_TAG.sub(" ", plain))
    found: dict[str, None] = {}
    for word in [*(match[1] for match in _MARK.finditer(plain)), *filter(_mixed, _WORD.findall(plain))]:
        for form in (word, word.rstrip(".,;:!?)")):
            if len(form) >= 3:
                found[form] = None
        if len(found) >= limit:
            break
    return list(found)[:limit]


def _mixed(word: str) -> bool:
    """Whether a word has letters and digits or other signs, as prose has not; addresses do not count."""
    bare = word.strip(".,;:!?()[]")
    if "://" in bare or re.fullmatch(r"[^@]+@[\w.-]+\.\w+", bare):
        return False
    return any(one.isalpha() for one in bare) and any(not one.isalpha() and one not in "-/'’" for one in bare)
