"""Searches that a user keeps under a name, shown on the list page they belong to."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.records.models import SavedSearch
from mailweir.webui import access, asked

pages = Blueprint("saved", __name__, url_prefix="/saved")
MAX_SAVED = 30  # a page and user
MAX_QUERY = 2_000  # characters


def of(page: str) -> list[SavedSearch]:
    """The user's searches on that page."""
    mine = (SavedSearch.user_id == g.user.id, SavedSearch.page == page)
    return list(SavedSearch.select().where(*mine).order_by(SavedSearch.name))


@pages.post("")
def change() -> Response:
    """Keep the search of a page under a name, or forget one."""
    page, name = request.form.get("page", ""), " ".join(request.form.get("name", "").split())[:60]
    if page not in asked.FORMS:
        abort(400)
    back = url_for(f"{page}.list_")
    mine = (SavedSearch.user_id == g.user.id, SavedSearch.page == page)
    if "forget" in request.form:
        SavedSearch.delete().where(*mine, SavedSearch.id == request.form.get("forget", 0, type=int)).execute()
        return redirect(back)
    query = request.form.get("query", "")[:MAX_QUERY]
    if not name or not query:
        flash(_("Search first, then give the search a name."), "error")
        return redirect(back)
    SavedSearch.delete().where(*mine, SavedSearch.name == name).execute()
    if len(of(page)) >= MAX_SAVED:
        flash(
            _("There are %(count)s saved searches here already: remove one first.", count=MAX_SAVED), "error"
        )
        return redirect(back)
    SavedSearch.create(user_id=g.user.id, page=page, name=name, query=query)
    return redirect(access.local_path(f"{back}?{query}", back))
