"""The part of pymilter that Mailweir uses; https://pythonhosted.org/pymilter/ is its manual."""

from collections.abc import Callable
from typing import Any, TypeVar

from milter import error as error
from milter import milterContext
from milter import set_exception_policy as set_exception_policy
from milter import set_flags as set_flags
from milter import stop as stop

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type[Base])

CONTINUE: int
REJECT: int
DISCARD: int
ACCEPT: int
TEMPFAIL: int

ADDHDRS: int
CHGHDRS: int
DELRCPT: int
QUARANTINE: int
SETSYMLIST: int
P_HDR_LEADSPC: int

factory: Callable[[], Base]

class Base:
    _ctx: milterContext | None
    _actions: int
    _protocol: int
    def getsymval(self, sym: str) -> str | None: ...
    def setreply(self, rcode: str, xcode: str | None = None, msg: str | None = None, *ml: str) -> None: ...
    def addheader(self, field: str, value: str, idx: int = -1) -> None: ...
    def chgheader(self, field: str, idx: int, value: str | None) -> None: ...
    def delrcpt(self, rcpt: str) -> None: ...
    def quarantine(self, reason: str) -> None: ...
    def eom(self) -> int: ...
    def abort(self) -> int: ...
    def close(self) -> int: ...

def noreply(func: F) -> F: ...
def decode(strategy: str) -> Callable[[F], F]: ...
def symlist(*syms: str) -> Callable[[F], F]: ...
def enable_protocols(klass: C, mask: int) -> C: ...
def runmilter(name: str, socketname: str, timeout: int = 0, rmsock: bool = True) -> None: ...
