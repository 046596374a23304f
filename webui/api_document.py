"""The OpenAPI description of /api/v1, made from the same tables that the code uses."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

from mailweir import __version__
from mailweir.agent.request import READS
from mailweir.records import groups, search
from mailweir.records.filters import FIELDS, REJECTED_FIELDS
from mailweir.webui import acts

LISTS = {
    "mail-in": (search.MessageRow, FIELDS, "Messages that came in, newest first"),
    "pending": (search.PendingRow, FIELDS, "Recipients that are still on their way"),
    "delivery": (search.DeliveryRow, FIELDS, "Attempts to deliver"),
    "quarantine": (search.MessageRow, FIELDS, "Messages with stalled recipients"),
    "rejected": (search.RejectRow, REJECTED_FIELDS, "Attempts refused before there was a message"),
}
SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
MAX_ROWS = 500


def document() -> dict[str, Any]:
    """The whole description, as plain values for JSON."""
    schemas: dict[str, Any] = {
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string", "description": "what is wrong and what to do"}},
        },
        "Acts": _acts_schema(),
    }
    paths: dict[str, Any] = {}
    for name, (row, known, summary) in LISTS.items():
        schema = _schema(row, schemas)
        page = {
            "type": "object",
            "required": ["rows", "next", "partial"],
            "properties": {
                "rows": {"type": "array", "items": schema},
                "next": {
                    "type": ["string", "null"],
                    "description": "give it as below for the rows after these",
                },
                "partial": {"type": "boolean", "description": "the search ran out of time; go on from next"},
            },
        }
        paths[f"/{name}"] = {"get": _operation(name, summary, page, _list_parameters(known))}
    paths["/pending/groups"] = {"get": _groups(schemas)}
    paths["/messages/{identifier}"] = {
        "get": _operation(
            "message",
            "All of one message, by its Mail In ID, a queue ID or its Message-ID",
            _schema(search.MessageView, schemas),
            [_path()],
            404,
        )
    }
    paths["/sessions/{identifier}"] = {
        "get": _operation(
            "session", "One SMTP conversation", _schema(search.SessionView, schemas), [_path()], 404
        )
    }
    answer = {"$ref": "#/components/schemas/Acts"}
    asked = _operation("act", "Ask for an act on messages or recipients", answer, [], 403, 415, success=202)
    asked["requestBody"] = {"required": True, "content": {"application/json": {"schema": _request_schema()}}}
    paths["/acts"] = {"post": asked}
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}
    paths |= _reads()
    paths["/acts/{key}"] = {"get": _operation("actResults", "What became of them", answer, [key], 404)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mailweir", "version": __version__, "license": {"name": "GPL-2.0-or-later"}},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _reads() -> dict[str, Any]:
    text, flag, size = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    key = {
        "name": "Mailweir-Key",
        "in": "header",
        "schema": text,
        "description": "what the question was answered",
    }
    part = {"name": "part", "in": "query", "schema": text, "description": "the path of one of the parts"}
    field = {"type": "object", "properties": dict.fromkeys(("name", "text", "meaning"), text)}
    shown = {"path": text, "name": text, "type": text, "size": size, "is_cut": flag}
    one = {"type": "object", "properties": {**shown, "text": {"type": ["string", "null"]}}}
    found = {
        "type": "object",
        "required": ["state", "result", "is_cut", "header", "parts", "trouble"],
        "properties": {
            "state": text, "result": text, "is_cut": flag, "trouble": text,
            "header": {"type": "array", "items": field}, "parts": {"type": "array", "items": one},
        },
    }  # fmt: skip
    answer = {"type": "object", "required": ["read", "key", "state"],
              "properties": {"read": size, "key": text, "state": text}}  # fmt: skip
    body = {"type": "object", "required": ["mail_in_id", "what"],
            "properties": {"mail_in_id": text, "what": {"type": "string", "enum": list(READS)}}}  # fmt: skip
    asked = _operation("read", "Ask to read a message in the queue", answer, [], 403, 409, 415, success=202)
    asked["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    file = _operation("readFile", "One part of it, to be stored", {}, [number, part, key], 403, 404)
    file["responses"]["200"]["content"] = {"application/octet-stream": {}}
    return {
        "/reads": {"post": asked},
        "/reads/{number}": {"get": _operation("readResult", "What was read", found, [number, key], 403, 404)},
        "/reads/{number}/file": {"get": file},
    }


def _groups(schemas: dict[str, Any]) -> dict[str, Any]:
    page = {
        "type": "object",
        "required": ["groups", "recipients", "complete"],
        "properties": {
            "groups": {"type": "array", "items": _schema(groups.GroupRow, schemas)},
            "recipients": {"type": "integer"},
            "complete": {"type": "boolean", "description": "false: there are more, these are the newest"},
        },
    }
    by = {"name": "by", "in": "query", "schema": {"type": "string", "enum": list(groups.BY)}}
    return _operation("pendingGroups", "What waits for the same thing, the most first", page, [by])


def _operation(
    name: str, summary: str, schema: dict[str, Any], parameters: list[Any], *errors: int, success: int = 200
) -> dict[str, Any]:
    problem = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    responses: dict[str, Any] = {
        str(success): {"description": "done", "content": {"application/json": {"schema": schema}}}
    }
    for status in (400, 401, *errors):
        responses[str(status)] = {"description": "see error", **problem}
    return {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}


def _path() -> dict[str, Any]:
    return {
        "name": "identifier",
        "in": "path",
        "required": True,
        "description": "a Mail In ID, or the ID of a session",
        "schema": {"type": "string"},
    }


def _list_parameters(known: tuple[str, ...]) -> list[dict[str, Any]]:
    def parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    text = {"type": "string"}
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 50}
    return [
        parameter("q", "as in the search box of the pages", text),
        *(parameter(name, f"as {name}: in the search box", text) for name in known),
        parameter("below", "next of the page before", text),
        parameter("limit", "rows of a page", limit),
    ]


def _request_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["action", "items"],
        "properties": {
            "action": {"type": "string", "enum": list(acts.NAMED)},
            "reason": {"type": "string", "description": "force needs one"},
            "password": {"type": "string", "description": "unlock needs one, which is tried on each item"},
            "key": {
                "type": "string",
                "pattern": "^[0-9a-f]{32}$",
                "description": "the same key asks only once",
            },
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": acts.MAX_ITEMS,
                "items": {
                    "type": "object",
                    "required": ["mail_in_id"],
                    "properties": {
                        "mail_in_id": {"type": "string"},
                        "recipient": {"type": ["string", "null"], "description": "null: all of the message"},
                    },
                },
            },
        },
    }


def _acts_schema() -> dict[str, Any]:
    text = {"type": "string"}
    act = dict.fromkeys(("action", "mail_in_id", "state", "result"), text)
    return {
        "type": "object",
        "required": ["key", "acts", "errors"],
        "properties": {
            "key": text,
            "acts": {
                "type": "array",
                "items": {"type": "object", "properties": {**act, "recipient": {"type": ["string", "null"]}}},
            },
            "errors": {
                "type": "array",
                "items": {"type": "object", "properties": {"mail_in_id": text, "error": text}},
            },
        },
    }


def _schema(row: type[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a view, which is made on first use from its fields."""
    if row.__name__ not in schemas:
        schemas[row.__name__] = {}
        hints = get_type_hints(row)
        properties = {
            field.name: _field(row, field.name, hints[field.name], schemas)
            for field in dataclasses.fields(row)
            if field.name not in row._left_out
        }
        schemas[row.__name__] = {"type": "object", "required": list(properties), "properties": properties}
    return {"$ref": f"#/components/schemas/{row.__name__}"}


def _field(row: type[Any], name: str, hint: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if name in row._moments:
        return {"type": ["string", "null"], "format": "date-time"}
    if name in row._identifiers:
        return {"type": ["string", "null"], "description": "an ID as people see it"}
    return _type(hint, schemas)


def _type(hint: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _schema(hint, schemas)
    origin = get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0], schemas)}
    if origin in (types.UnionType, Union):
        kinds = [
            _type(part, schemas).get("type", "object") for part in get_args(hint) if part is not type(None)
        ]
        return {"type": [*kinds, "null"]}
    return {}
