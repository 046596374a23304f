"""The stories without JavaScript: everything but live mode is there, with one press more now and then."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from mailweir.records.models import Command
from tests.browser.conftest import Desk, Site


@pytest.fixture
def plain(browser: Browser, site: Site) -> Iterator[Desk]:
    """A desk whose browser runs no script."""
    made = Desk(browser, site, java_script_enabled=False, viewport={"width": 1400, "height": 850})
    made.log_in()
    yield made
    made.close()


def test_track_a_message_and_see_why_it_failed(plain: Desk) -> None:
    page = plain.page
    page.get_by_role("link", name="Mail In").click()
    page.get_by_role("searchbox", name="Search").fill("to:nobody@customer.example")
    page.get_by_role("button", name="Search").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    rows.first.locator("a.id").click()
    expect(page.locator("form.card")).to_contain_text("There is no such mailbox on the receiving server.")
    page.locator("a.dot").first.click()
    expect(page.locator("main")).to_contain_text("RCPT TO:<nobody@customer.example>")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)  # what only a script can do is not shown


def test_force_a_stalled_recipient(plain: Desk) -> None:
    page = plain.page
    page.get_by_role("link", name="Quarantine").click()
    page.get_by_label("Show each pending recipient").check()
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("each=1"))
    page.locator("tbody tr", has_text="ivan@partner.example").get_by_role("checkbox").check()
    page.get_by_role("button", name="Force").click()
    page.get_by_label("Reason").fill("no script, but a reason")
    page.get_by_role("button", name="Force").click()
    expect(page.locator("#acted")).to_contain_text("Force requested")
    assert Command.select().where(Command.reason == "no script, but a reason").count() == 1


def test_a_trusted_partner(plain: Desk) -> None:
    page = plain.page
    page.get_by_role("link", name="Policies").click()
    page.get_by_label("Add a domain").fill("plain.example")
    page.get_by_label("Add a domain").press("Enter")
    treatment = page.get_by_role("group", name="Inbound encrypted message treatment")
    treatment.get_by_label("Allow messages to the address(es)").check()
    treatment.get_by_role("textbox").fill("partner.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
