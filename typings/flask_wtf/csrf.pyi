"""The part of Flask-WTF that the pages use."""

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Flask
from werkzeug.exceptions import BadRequest

F = TypeVar("F", bound=Callable[..., object])

class CSRFError(BadRequest): ...

class CSRFProtect:
    def init_app(self, app: Flask) -> None: ...
    def exempt(self, view: F | Blueprint) -> F: ...
    def protect(self) -> None: ...

def generate_csrf() -> str: ...
