"""Asks another machine's /api/v1 what commands else ask the database here: `mailweir --server`.

The token comes from a file, goes to that server alone and is never printed; a server that redirects
elsewhere, or that would have it in the clear over a network, does not get it.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mailweir.errors import InputError, Unavailable
from mailweir.plain import visible
from mailweir.records import ids
from mailweir.records.filters import Filter

TIMEOUT = 60.0  # seconds without an answer; a search ends well before
PAGE = 500  # rows in one request, the API's limit
_GIVEN = {
    "from": "sender", "to": "recipient", "subject": "subject", "text": "text", "ip": "ip",
    "queue": "queue_id", "message-id": "message_id", "file": "file", "verdict": "verdict", "node": "node",
    "client": "client", "helo": "helo", "code": "code",
}  # fmt: skip


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: urllib would hand the token on."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Server:
    """A server's pages and a token for their API."""

    url: str
    token: str = field(repr=False)

    def rows(self, name: str, wanted: Filter, limit: int | None) -> Iterator[dict[str, Any]]:
        """The rows of one of the lists, page by page, as the API gives them."""
        query = as_fields(wanted) | {"limit": str(PAGE if limit is None else min(limit, PAGE))}
        while True:
            page = self._page(name, "rows", query)
            yield from page["rows"]
            if not page.get("next"):
                return
            query["below"] = str(page["next"])

    def listed(self, path: str, name: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """One answer's list of that name."""
        found: list[dict[str, Any]] = self._page(path, name, query)[name]
        return found

    def _page(self, path: str, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        page = self.get(path, query)
        if page is None or not isinstance(page.get(name), list):
            raise self._no_mailweir()
        return page

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """One answer; None when there is nothing by that name. Raises InputError and Unavailable."""
        address = f"{self.url}/api/v1/{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context())
        )
        try:
            request = urllib.request.Request(address, headers=headers)  # noqa: S310 (server() checked the scheme)
            with opener.open(request, timeout=TIMEOUT) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error)
            return None
        except urllib.error.URLError as error:
            raise Unavailable(f"{self.url} cannot be reached: {visible(str(error.reason))}") from None
        except (OSError, HTTPException) as error:
            raise Unavailable(f"{self.url} stopped answering: {visible(str(error))}") from None
        except ValueError:
            raise self._no_mailweir() from None
        if not isinstance(found, dict):
            raise self._no_mailweir()
        return found

    def _refused(self, error: urllib.error.HTTPError) -> None:
        """Say what an answer other than 200 means; returns for one that says there is no such thing."""
        try:
            words = visible(str(json.load(error)["error"]))
        except (ValueError, KeyError, TypeError, OSError, HTTPException):
            words = ""
        if error.code == 404 and words:
            return
        if error.code == 401:
            raise InputError(f"{self.url} does not take the token: make a new one there, under your own name")
        if error.code in (400, 403) and words:
            raise InputError(words)
        if 300 <= error.code < 400:
            to = visible(error.headers.get("Location", "elsewhere"))
            raise InputError(f"{self.url} redirects to {to}: give the address of the pages themselves")
        if error.code >= 500 or error.code == 429:
            raise Unavailable(f"{self.url} cannot answer now ({error.code}): {words or 'try again later'}")
        raise self._no_mailweir()

    def _no_mailweir(self) -> Unavailable:
        return Unavailable(f"what answers at {self.url} is not Mailweir, or not this version of it")


def server(url: str, token_file: Path) -> Server:
    """The server that the command line names. Raises InputError for what cannot be used or is not safe."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.username:
        raise InputError(f"--server: {url[:200]!r} is no address like https://mail.example.com")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise InputError("--server: over http:// the token could be read on its way; use https://")
    try:
        mode = token_file.stat().st_mode
        token = token_file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"--token-file: {token_file} cannot be read: {error}") from None
    if stat.S_ISREG(mode) and mode & 0o077:
        raise InputError(f"--token-file: others may read {token_file}; run chmod 600 on it")
    if not token or len(token.split()) != 1 or not token.isprintable():
        raise InputError(f"--token-file: {token_file} holds no token, which is one word")
    return Server(url.rstrip("/"), token)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def as_fields(wanted: Filter) -> dict[str, str]:
    """A Filter as the fields of a request; moments are absolute, so that no other time zone matters."""
    fields = {name: str(getattr(wanted, attribute)) for name, attribute in _GIVEN.items()}
    fields = {name: value for name, value in fields.items() if value not in ("", "None")}
    if words := [member.word for member in (*wanted.status, *wanted.outcome)]:
        fields["status"] = ",".join(dict.fromkeys(words))
    if wanted.direction:
        fields["direction"] = ",".join(member.word for member in wanted.direction)
    if wanted.id is not None:
        fields["id"] = ids.to_text(wanted.id)
    for name, moment in (("before", wanted.before), ("after", wanted.after)):
        if moment is not None:
            fields[name] = datetime.fromtimestamp(moment, UTC).isoformat()
    return fields
