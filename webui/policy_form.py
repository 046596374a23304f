"""A policy's settings as form fields, and back.

Each field of policies/fields.py is one form field of the same name; an empty one is inherited. The two
allow lists are texts, named `inbound.list` and `outbound.list`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from mailweir.errors import InputError
from mailweir.policies.fields import DEFAULTS, HOUR, LABELS, UNSCANNABLE_KINDS, checked
from mailweir.policies.scopes import AllowEntry
from mailweir.records.words import Direction
from mailweir.webui import allow_text
from mailweir.webui.policy_store import By, Settings

SIDES = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
YES_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Field:
    """One form field: its name, what is chosen in it ("" for inherit) and what would be inherited."""

    name: str
    value: str
    chosen: frozenset[str]
    inherited: str
    choices: Mapping[str, str]


def fill(settings: Settings) -> MultiDict[str, str]:
    """The settings as the form's fields."""
    form: MultiDict[str, str] = MultiDict()
    for name, value in settings.fields.items():
        if isinstance(value, list):
            form.setlist(name, value if name.endswith(".kinds") else [", ".join(value)])
            if name.endswith(".kinds"):
                form[f"{name}.own"] = "yes"
        else:
            form[name] = _text(name, value)
    for side, direction in SIDES.items():
        form[f"{side}.list"] = allow_text.to_text(settings.entries(direction))
    return form


def fields(form: MultiDict[str, str], below: Mapping[str, Any]) -> dict[str, Field]:
    """What the template shows, by field name; below are the settings that would be inherited."""
    shown = {}
    for name, default in DEFAULTS.items():
        value = below.get(name, default)
        inherited = ", ".join(value) if isinstance(value, list) else _text(name, value)
        choices = LABELS.get(name.partition(".")[2], {})
        shown[name] = Field(
            name,
            form.get(name, ""),
            frozenset(form.getlist(name)),
            choices.get(inherited, inherited),
            choices,
        )
    return shown


def read(form: MultiDict[str, str], before: Settings, by: By) -> tuple[dict[str, Any], list[AllowEntry]]:
    """The settings and allow lists that the form asks for. Raises InputError naming what cannot be used."""
    values: dict[str, Any] = {}
    for name in DEFAULTS:
        value = _value(name, form)
        if value is not None:
            values[name] = checked(name, value)
    entries: list[AllowEntry] = []
    for side, direction in SIDES.items():
        known = before.entries(direction)
        try:
            entries += allow_text.from_text(
                form.get(f"{side}.list", ""), direction, known=known, author=by.user, now=by.now
            )
        except InputError as error:
            raise InputError("%(side)s list, %(error)s", side=side, error=error) from error
    return values, entries


def _value(name: str, form: MultiDict[str, str]) -> Any:
    text = form.get(name, "").strip()
    if name.endswith(".kinds"):
        if form.get(f"{name}.own") != "yes":
            return None
        return [kind for kind in UNSCANNABLE_KINDS if kind in form.getlist(name)]
    if not text:
        return None
    if isinstance(DEFAULTS[name], bool):
        if text not in YES_NO:
            raise InputError("%(name)s must be yes or no", name=name)
        return YES_NO[text]
    if name.endswith(".lifetime"):
        try:
            return float(text.replace(",", ".")) * HOUR
        except ValueError:
            raise InputError(
                "%(name)s: %(text)s is no number of hours", name=name, text=repr(text[:20])
            ) from None
    if isinstance(DEFAULTS[name], list):
        return [item for item in text.replace(",", " ").split() if item]
    return text


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith(".lifetime"):
        return f"{value / HOUR:g}"
    return str(value)
