"""Time-based one-time passwords (RFC 6238): the set-up as QR code, and codes that work once."""

from __future__ import annotations

import hmac
import io
from dataclasses import dataclass

import pyotp
import segno

PERIOD = 30  # seconds of one step, as every authenticator app expects
DRIFT = 1  # steps before and after now that are taken as well


@dataclass(frozen=True)
class Setup:
    """What somebody needs to set up an authenticator app."""

    secret: str
    svg: str


def new_secret() -> str:
    """A random secret in base 32."""
    return pyotp.random_base32()


def setup(name: str, secret: str) -> Setup:
    """The secret as text, and as a QR code in SVG that carries no style of its own."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Mailweir")
    picture = io.BytesIO()
    segno.make(uri, error="m").save(
        picture, kind="svg", xmldecl=False, svgns=True, scale=4, border=3, light="#fff"
    )
    return Setup(" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)), picture.getvalue().decode())


def matching_step(secret: str, code: str, now: float, last: int) -> int | None:
    """The time step whose code was given, if it is later than the last one used; otherwise None."""
    digits = "".join(code.split())
    if not secret or len(digits) != 6 or not digits.isascii() or not digits.isdigit():
        return None
    step = int(now // PERIOD)
    for candidate in range(step - DRIFT, step + DRIFT + 1):
        good = hmac.compare_digest(pyotp.TOTP(secret).generate_otp(candidate), digits)
        if good and candidate > last:
            return candidate
    return None
