"""Makes a view again of what its `as_dict` gave, as it comes from another machine's API.

What the API leaves out (numbers that only a database knows) gets the default of its type.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mailweir.errors import Unavailable
from mailweir.records import ids

V = TypeVar("V")
_NOTHING: dict[Any, Any] = {int: 0, str: "", float: 0.0, bool: False}


def read(kind: type[V], values: dict[str, Any]) -> V:
    """The view. Raises Unavailable when the values are not one's."""
    try:
        made: V = _read(kind, values)
        return made
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable("the server's answer is not understood: is it of another version?") from error


def _read(kind: Any, values: dict[str, Any]) -> Any:
    hints = get_type_hints(kind)
    fields = {field.name: _value(kind, field.name, hints[field.name], values) for field in _fields(kind)}
    return kind(**fields)


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _value(kind: Any, name: str, hint: Any, values: dict[str, Any]) -> Any:
    if name in kind._left_out:
        return _NOTHING.get(hint)
    value = values[name]
    if name in kind._moments:
        return None if value is None else datetime.fromisoformat(value).timestamp()
    if name in kind._identifiers:
        return None if value is None else ids.from_text(value)
    if get_origin(hint) is tuple:
        of = get_args(hint)[0]
        return tuple(_read(of, item) if dataclasses.is_dataclass(of) else of(item) for item in value)
    return value
