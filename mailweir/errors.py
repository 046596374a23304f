"""The few kinds of error there are, by cause.

Whoever catches one knows what to do about it: correct the input, correct the configuration, try again
later, or tell the user that the act was refused.
"""


class MailweirError(Exception):
    """Base of all errors meant for a person: its text says what is wrong and what to do."""

    exit_code = 1


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
