"""What Postfix is told at the start of each connection: which steps are wanted, which are answered."""

from __future__ import annotations

from typing import cast

import Milter

from mailweir.milter.desk import Desk
from mailweir.milter.filter import Filter

POSTFIX_OFFERS = [0x1FF, 0x1FFFFF, 0, 0]  # 3.7: all actions, all protocol options


class Context:
    """libmilter's side of one connection."""

    def __init__(self) -> None:
        self.macros: dict[int, str] = {}

    def setpriv(self, filter_: object) -> None:
        pass

    def setsymlist(self, stage: int, macros: str) -> None:
        assert isinstance(macros, str)
        self.macros[stage] = macros


def test_steps_without_an_answer_are_declared_and_unneeded_ones_left_out() -> None:
    context = Context()
    connection = Filter(cast(Desk, None))
    connection._setctx(context)  # type: ignore[arg-type]
    options = list(POSTFIX_OFFERS)
    assert connection.negotiate(options) == Milter.CONTINUE
    silent = ("CONN", "MAIL", "RCPT", "HDR", "EOH", "BODY")
    for name in silent:
        assert options[1] & getattr(Milter, f"P_NR_{name}"), f"{name} is answered"
    for name in ("DATA", "UNKNOWN"):
        assert options[1] & getattr(Milter, f"P_NO{name}"), f"{name} is asked for"
    for name in ("CONNECT", "HELO", "MAIL", "RCPT", "HDRS", "EOH", "BODY"):
        assert not options[1] & getattr(Milter, f"P_NO{name}"), f"{name} is left out"
    assert not options[1] & Milter.P_NR_HELO
    assert options[1] & Milter.P_HDR_LEADSPC
    assert sorted(context.macros.values()) == sorted(
        ["j {daemon_name}", "{tls_version} {cipher}", "{auth_authen}", "{rcpt_mailer} {rcpt_addr}", "i"]
    )


def test_a_silent_step_never_raises_and_never_answers() -> None:
    connection = Filter(cast(Desk, None))
    connection._setctx(Context())  # type: ignore[arg-type]
    connection.negotiate(list(POSTFIX_OFFERS))
    for step, arguments in {
        connection.connect: ("host", 2, ("192.0.2.1", 25)),
        connection.envfrom: ("<a@example.com>",),
        connection.envrcpt: ("<b@example.org>",),
        connection.header: ("Subject", b" x"),
        connection.eoh: (),
        connection.body: (b"x",),
    }.items():
        connection.failure = None
        assert step(*arguments) == Milter.NOREPLY  # type: ignore[operator]
        assert connection.failure is not None
