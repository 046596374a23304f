"""Postfix's own settings, as postconf -x prints them."""

from mailweir.agent.postconf import parse

PRINTED = """\
recipient_delimiter = +
mydestination = mail.example.org, localhost.example.org,localhost, /etc/postfix/local, !not.example.org
virtual_alias_domains = hash:/etc/postfix/virtual
virtual_mailbox_domains = Example.COM xn--bcher-kva.example
relay_domains =
"""


def test_domains_named_in_main_cf_are_ours_and_tables_are_passed_over() -> None:
    settings = parse(PRINTED)
    assert settings.recipient_delimiter == "+"
    assert settings.domains == {
        "mail.example.org",
        "localhost.example.org",
        "localhost",
        "example.com",
        "xn--bcher-kva.example",
    }


def test_nothing_printed_is_nothing_known() -> None:
    assert parse("").domains == frozenset()
    assert parse("").recipient_delimiter == ""
