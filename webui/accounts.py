"""Users and their passwords: Argon2 hashes, and a stamp that ends all sessions when the password changes."""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mailweir.errors import InputError
from mailweir.policies import addresses
from mailweir.records.models import User

ROLES = ("viewer", "operator", "administrator")  # each may do all that the ones before it may
MIN_LENGTH = 10  # characters of a password that somebody chooses
NAME = re.compile(r"[\w.@+-]{1,64}")
hasher = PasswordHasher()


@functools.cache
def _nobody() -> str:
    """A hash for names that do not exist, so that they take as long to refuse."""
    return hasher.hash(secrets.token_hex(16))


def check(name: str, password: str) -> User | None:
    """The user with this name and password, or None; a disabled one cannot log in."""
    user: User | None = User.get_or_none(User.name == name)
    try:
        hasher.verify(user.password if user else _nobody(), password)
    except (VerificationError, InvalidHashError):
        return None
    if user is None or user.disabled:
        return None
    if hasher.check_needs_rehash(user.password):
        user.password = hasher.hash(password)
        user.save(only=[User.password])
    return user


def add(name: str, password: str, *, role: str, clock: Callable[[], float]) -> User:
    """A new user. Raises InputError for a name or password that will not do."""
    if not NAME.fullmatch(name):
        raise InputError("a user's name has 1 to 64 letters, digits or . _ @ + -")
    if User.get_or_none(User.name == name) is not None:
        raise InputError("there is a user %(name)s already", name=name)
    if role not in ROLES:
        raise InputError("%(role)s is no role; there are %(all)s", role=repr(role), all=", ".join(ROLES))
    check_strength(name, password)
    user: User = User.create(name=name, password=hasher.hash(password), role=role, created=clock())
    return user


def set_password(user: User, password: str) -> None:
    """Give a user a new password, which ends all sessions."""
    user.password = hasher.hash(password)
    user.save()


def limit(user: User, domains: str) -> None:
    """Limit a user to domains, separated by spaces or commas; none: no limit. Raises InputError."""
    names = [addresses.pattern_key(name) for name in domains.replace(",", " ").split()]
    if any("@" in name or name.startswith(".") for name in names):
        raise InputError("a user is limited to domains, not to addresses")
    user.domains = " ".join(dict.fromkeys(names))
    user.save()


def check_strength(name: str, password: str) -> None:
    """Raises InputError for a password that is too easy to guess."""
    if len(password) < MIN_LENGTH:
        raise InputError("the password must have at least %(min_length)s characters", min_length=MIN_LENGTH)
    if name.lower() in password.lower() or len(set(password)) < MIN_LENGTH // 2:
        raise InputError(
            "the password is too easy to guess: leave out the name and use more different characters"
        )


def generate() -> str:
    """A password of 20 characters, about 119 bits."""
    return secrets.token_urlsafe(15)


def stamp(user: User) -> str:
    """What a session must carry to be this user's: it changes with the password."""
    return hashlib.sha256(str(user.password).encode()).hexdigest()[:24]
