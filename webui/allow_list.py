"""One allow list, entry by entry: add, change and remove a single one, take in a file, give one out.

Every act names the entry as it was seen, so a list that somebody changed meanwhile is never changed blindly.
"""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.errors import InputError, MailweirError, Refused
from mailweir.policies.fields import Encrypted
from mailweir.policies.scopes import AllowEntry
from mailweir.webui import allow_text, policy_access, policy_form, policy_store
from mailweir.webui.policy_store import Settings
from mailweir.webui.text import say

pages = Blueprint("allow_list", __name__)
PATH = "/<any(default, domain, group):kind>/<int:number>/<any(inbound, outbound):side>-list"
MANY = 500  # entries on the page; more are left to the text form and to files
TYPED = ("pattern", "party", "last", "note")  # the fields of one entry


@pages.get(PATH)
def show(kind: str, number: int, side: str) -> str:
    """The list as a table, with one entry in the form when the address names it."""
    settings = policy_access.load(kind, number)
    chosen = request.args.get("entry", "")
    found = next((one for one in entries(settings, side) if allow_text.line(one) == chosen), None)
    return page(settings, side, allow_text.typed(found) if found else {}, chosen if found else "")


@pages.post(PATH)
def change(kind: str, number: int, side: str) -> str | Response:
    """Add, change or remove one entry, or take in a file; after a mistake nothing has changed."""
    settings = policy_access.load(kind, number)
    policy_access.require_change()
    act, chosen = request.form.get("act", ""), request.form.get("entry", "")
    typed = {name: request.form.get(name, "") for name in TYPED}
    try:
        if act == "import":
            said = take_file(settings, side)
        elif act == "remove":
            store(settings, side, without(entries(settings, side), chosen))
            said = _("Removed.")
        elif act == "save":
            said = put(settings, side, typed, chosen)
        else:
            raise InputError(_("This form is not complete: go back, load the page again and repeat."))
    except MailweirError as error:
        for words in error.told(say).splitlines():
            flash(words, "error")
        return page(settings, side, typed, chosen if act == "save" else "")
    flash(said, "good")
    return redirect(url_for(".show", kind=kind, number=number, side=side))


def page(settings: Settings, side: str, typed: dict[str, str], chosen: str) -> str:
    """The page with these fields in its form; chosen is the entry that the form changes."""
    listed = entries(settings, side)
    return render_template(
        "policies/allow_list.html",
        scope=settings,
        side=side,
        entries=[(allow_text.line(entry), entry) for entry in listed[:MANY]],
        count=len(listed),
        many=MANY,
        typed=typed,
        chosen=chosen,
        used=is_used(settings, side),
    )


def is_used(settings: Settings, side: str) -> bool:
    """Whether mail of the scope is treated by a list, as the scope or else the default says."""
    name = f"{side}.encrypted"
    below = policy_store.load("default", 0).fields
    return bool(settings.fields.get(name, below.get(name)) == Encrypted.ALLOW_LIST)


def entries(settings: Settings, side: str) -> list[AllowEntry]:
    """The list's entries."""
    return settings.entries(policy_form.SIDES[side])


def put(settings: Settings, side: str, typed: dict[str, str], chosen: str) -> str:
    """Store the entry of the form, in the place of the chosen one if there is one; says what was done."""
    by = policy_access.by()
    new = allow_text.from_fields(typed, policy_form.SIDES[side], author=by.user, now=by.now)
    listed = entries(settings, side)
    rest = without(listed, chosen) if chosen else listed
    if any((one.party, one.key) == (new.party, new.key) for one in rest):
        raise InputError(
            _(
                "%(entry)s stands in the list already: change that entry.",
                entry=" ".join((new.party, new.pattern)),
            )
        )
    place = listed.index(next(one for one in listed if one not in rest)) if chosen else len(rest)
    store(settings, side, [*rest[:place], new, *rest[place:]])
    return _("Saved. New mail is treated by it within a second or two.")


def without(listed: list[AllowEntry], chosen: str) -> list[AllowEntry]:
    """The list without that entry. Raises Refused when it is not there as it was seen."""
    rest = [one for one in listed if allow_text.line(one) != chosen]
    if len(rest) != len(listed) - 1:
        raise Refused(
            _("Somebody else has changed this entry meanwhile: look at the list again, then repeat.")
        )
    return rest


def take_file(settings: Settings, side: str) -> str:
    """Take in an uploaded list, all of it or nothing; says what was done. Raises InputError."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InputError(_("Choose a file first."))
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(_("The file is not text in UTF-8; save it as such and try again.")) from error
    by, listed = policy_access.by(), entries(settings, side)
    new = allow_text.from_text(
        text, policy_form.SIDES[side], known=listed, author=by.user, now=by.now, every=True
    )
    if not new:
        raise InputError(_("There is no entry in the file."))
    names = {(one.party, one.key) for one in new}
    kept = [] if "replace" in request.form else [one for one in listed if (one.party, one.key) not in names]
    if len(kept) + len(new) > allow_text.MAX_ENTRIES:
        raise allow_text.too_many()
    store(settings, side, [*kept, *new])
    return _("Taken in: %(count)s entries.", count=len(new))


def store(settings: Settings, side: str, listed: list[AllowEntry]) -> None:
    """Save the list; the scope's other list and its settings stay."""
    others = [entry for entry in settings.allow if entry.direction is not policy_form.SIDES[side]]
    policy_store.save(settings, settings.fields, [*others, *listed], policy_access.by(), settings.stamp)
