"""In which language and time zone a page speaks: the user's choice, else the browser's language and UTC."""

from __future__ import annotations

import functools
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.support import NullTranslations
from flask import Flask, g, request
from flask_babel import Babel, get_locale, get_translations

LANGUAGES = {"en": "English", "de": "Deutsch"}


def init_app(app: Flask) -> None:
    """Set up Flask-Babel with our translations."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    Babel(app, locale_selector=language)
    # Flask-Babel's own look up the request's language for each of a page's hundreds of texts.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: _translations().ugettext(text),
        lambda one, many, count: _translations().ungettext(one, many, count),
        newstyle=True,
    )


def _translations() -> NullTranslations:
    """The texts in the language of this request."""
    if "translations" not in g:
        g.translations = get_translations()
    found: NullTranslations = g.translations
    return found


def language() -> str:
    """The language code to speak."""
    user = g.get("user")
    if user is not None and user.language in LANGUAGES:
        return str(user.language)
    return request.accept_languages.best_match(list(LANGUAGES)) or "en"


def locale() -> Locale:
    """The same for Babel's formatting functions."""
    return get_locale() or Locale("en")


@functools.cache
def zones() -> frozenset[str]:
    """The names of all time zones; reading them from the disk takes too long for each request."""
    return frozenset(available_timezones())


def zone() -> tzinfo:
    """The time zone of the user's times."""
    user = g.get("user")
    return ZoneInfo(user.zone) if user is not None and user.zone in zones() else UTC
