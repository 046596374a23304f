"""The stories of test_stories.py by keyboard alone: each thing can be reached, shows that it is, and acts."""

import re

from playwright.sync_api import Browser, expect

from mailweir.records.models import Command
from tests.browser.conftest import PASSWORD, Desk, Site


def log_in(desk: Desk, name: str, password: str) -> None:
    page = desk.page
    page.goto("/login")
    desk.reach(page.get_by_label("User"))
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def follow(desk: Desk, name: str) -> None:
    """Go to a page by its link."""
    desk.reach(desk.page.get_by_role("link", name=name, exact=True))
    desk.page.keyboard.press("Enter")


def test_track_a_message_and_see_why_it_failed(desk: Desk) -> None:
    log_in(desk, "anna", PASSWORD)
    page, popup = desk.page, desk.page.locator("#popup")
    follow(desk, "Mail In")
    desk.reach(page.get_by_role("searchbox", name="Search"))
    page.keyboard.type("to:nobody@customer.example")
    rows = page.locator("tbody tr")
    expect(page).to_have_url(re.compile("nobody"))
    expect(rows).to_have_count(1)
    desk.reach(rows.first.locator("a.id"))
    page.keyboard.press("Enter")
    expect(page.locator("form.card")).to_contain_text("There is no such mailbox on the receiving server.")
    dot = page.locator("a.dot").first
    desk.reach(dot)
    expect(popup).to_be_visible()
    expect(popup).to_contain_text("RCPT TO:<nobody@customer.example>")
    page.keyboard.press("Escape")
    expect(popup).to_be_hidden()
    expect(dot).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(dot).not_to_be_focused()  # it holds nobody
    desk.shot("keyboard-message")


def test_force_one_stalled_recipient(desk: Desk) -> None:
    log_in(desk, "anna", PASSWORD)
    page = desk.page
    follow(desk, "Quarantine")
    desk.reach(page.get_by_label("Show each pending recipient"))
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("each=1"))
    row = page.locator("tbody tr", has_text="ivan@partner.example")
    desk.reach(row.get_by_role("checkbox"))
    page.keyboard.press("Space")
    expect(row.get_by_role("checkbox")).to_be_checked()
    desk.reach(page.get_by_role("button", name="Force"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Force this message?")
    desk.reach(page.get_by_label("Reason"))
    page.keyboard.type("asked ivan by phone")
    desk.reach(page.get_by_role("button", name="Force"))
    page.keyboard.press("Enter")
    expect(page.locator("#acted")).to_contain_text("Force requested")
    assert Command.select().where(Command.reason == "asked ivan by phone").count() == 1


def test_a_user_is_made_and_sees_own_domains_only(browser: Browser, site: Site, desk: Desk) -> None:
    log_in(desk, "anna", PASSWORD)
    page = desk.page
    follow(desk, "System")
    follow(desk, "Users")
    form = page.locator("form", has_text="Add a user")
    desk.reach(form.get_by_label("Name"))
    page.keyboard.type("karl")
    desk.reach(form.get_by_label("Role"))
    page.keyboard.type("operator")
    desk.reach(form.get_by_label("Limited to domains"))
    page.keyboard.type("other.example")
    page.keyboard.press("Enter")
    password = page.locator("#password").inner_text()
    desk.reach(page.get_by_role("button", name="Log out"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/login"))
    karl = Desk(browser, site)
    log_in(karl, "karl", password)
    follow(karl, "Mail In")
    expect(karl.page.locator("main")).to_contain_text("No mail has come in yet")
    expect(karl.page.get_by_role("link", name="System")).to_have_count(0)
    karl.close()
