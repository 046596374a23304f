"""The few kinds of error there are, by cause.

Whoever catches one knows what to do about it: correct the input, correct the configuration, try again
later, or tell the user that the act was refused.
"""

from __future__ import annotations

from collections.abc import Callable


class MailweirError(Exception):
    """Base of all errors meant for a person: its text says what is wrong and what to do.

    The text names its values as `%(name)s`, so that pages can say the same in another language.
    """

    exit_code = 1

    def __init__(self, text: str = "", /, **values: object) -> None:
        self._text = text
        self._values = values
        super().__init__(self.told(str))

    def told(self, translate: Callable[[str], str]) -> str:
        """The text in the language of `translate`, which knows it with the names of its values."""
        text = translate(self._text) if self._text else ""
        values = {name: _told(value, translate) for name, value in self._values.items()}
        return text % values if values else text


def _told(value: object, translate: Callable[[str], str]) -> object:
    """A value that is an error itself, or a list of them, one a line, is told in the same language."""
    if isinstance(value, list):
        return "\n".join(str(_told(one, translate)) for one in value)
    return value.told(translate) if isinstance(value, MailweirError) else value


class ConfigError(MailweirError):
    """A setting is unknown, malformed or contradicts another; names the setting and where it stands."""

    exit_code = 78  # EX_CONFIG, sysexits.h


class InputError(MailweirError):
    """What the user gave (an ID, a file, a form field, a filter) cannot be used as it is."""

    exit_code = 64  # EX_USAGE


class Unavailable(MailweirError):
    """Something we depend on (clamd, the database, the queue-helper) does not answer; try again later."""

    exit_code = 75  # EX_TEMPFAIL


class Refused(MailweirError):
    """An act was not carried out because what it was aimed at is no longer what the user saw."""

    exit_code = 77  # EX_NOPERM
