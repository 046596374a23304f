"""The response headers that keep mail data inside the page: nothing is cached, framed or run from outside."""

from __future__ import annotations

from flask import Flask, Response, request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STORED = "sandbox; default-src 'none'"  # for what is to be stored, should a browser open it all the same
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # Flask-WTF compares the referrer over HTTPS
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def init_app(app: Flask) -> None:
    """Set the headers on every answer of the application."""
    app.after_request(set_headers)


def set_headers(response: Response) -> Response:
    """Static files carry their digest in the URL and may be kept; everything else never is."""
    response.headers.update(ALWAYS)
    if response.headers.get("Content-Disposition", "").startswith("attachment"):
        response.headers["Content-Security-Policy"] = STORED
    if request.endpoint == "static" and request.args.get("v") and response.status_code < 400:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        response.headers["Cache-Control"] = "no-store"
    return response
