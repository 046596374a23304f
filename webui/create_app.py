"""Puts the pages together: one Flask application with one blueprint for each noun.

Everything that must hold on every page stands here and in the modules it calls (access, headers, text), so a
blueprint only has to say what is on its page.
"""

from __future__ import annotations

import gc
import secrets
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from mailweir.config import Config
from mailweir.errors import ConfigError
from mailweir.records import db
from mailweir.webui import (
    access,
    accounts,
    api,
    api_reads,
    commands,
    connection,
    content,
    delivery,
    errors,
    headers,
    language,
    live,
    login,
    mail_in,
    message,
    overview,
    pending,
    policies,
    profile,
    quarantine,
    reasons,
    rejected,
    saved,
    start,
    system,
    text,
)
from mailweir.webui import session as session_page

BLUEPRINTS = (
    start.pages,
    login.pages,
    overview.pages,
    mail_in.pages,
    pending.pages,
    delivery.pages,
    quarantine.pages,
    rejected.pages,
    message.pages,
    content.pages,
    session_page.pages,
    commands.pages,
    policies.pages,
    system.pages,
    profile.pages,
    reasons.pages,
    saved.pages,
    api_reads.pages,  # the same blueprint, with all its routes
    live.pages,
)
MAX_REQUEST = 1_048_576  # bytes; no form of ours is larger
MAX_PARTS = 2_000  # fields in one form

csrf = CSRFProtect()


def create_app(config: Config) -> Flask:
    """The WSGI application; it opens the database, and makes it when there is none yet."""
    if config.web.content_role not in accounts.ROLES:
        raise ConfigError(
            f"web.content_role: there is no role {config.web.content_role!r}; there are "
            + ", ".join(accounts.ROLES)
        )
    app = Flask(__name__)
    app.config.update(
        MAILWEIR=config,
        SECRET_KEY=secret_key(config.secret_key_file),
        SESSION_COOKIE_NAME="mailweir",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.web.secure_cookie,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=config.web.session_hours),
        SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_TIME_LIMIT=None,  # a form left open is good for as long as the log-in is
        MAX_CONTENT_LENGTH=MAX_REQUEST,
        MAX_FORM_PARTS=MAX_PARTS,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined] # in the order in which the commands print them
    text.init_app(app)  # first: it sets how Jinja is made
    language.init_app(app)
    if config.web.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=config.web.proxies, x_proto=config.web.proxies, x_host=config.web.proxies
        )
    database = db.connect(config)
    database.close()
    connection.init_app(app)
    csrf.init_app(app)
    csrf.exempt(api.pages)  # it takes tokens, never cookies
    access.init_app(app)
    headers.init_app(app)
    app.jinja_env.globals["saved_searches"] = saved.of
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    errors.init_app(app)
    return app


def settle(app: Flask) -> None:
    """Compile all templates now, and have the garbage collector leave alone what is there for good.

    Else it goes through all of that again and again, some 40 ms in the middle of somebody's page.
    """
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
    gc.collect()
    gc.freeze()


def secret_key(path: Path) -> str:
    """The key that signs cookies, made on first use; all workers must end up with the same one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        mine.touch(mode=0o600)
        mine.write_text(secrets.token_hex(32))
        try:
            path.hardlink_to(mine)  # fails when another worker was first
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    return path.read_text()
