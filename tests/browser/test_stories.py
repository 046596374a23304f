"""What an administrator does with the pages, in Chromium: find out, look at the conversation, decide."""

import re

import pytest
from playwright.sync_api import Browser, expect

from mailweir.records import ids
from mailweir.records.models import Command
from tests.browser.conftest import Desk, Site

PAGES = ("mail-in", "pending", "delivery", "quarantine")


def test_track_a_message_from_a_search_to_its_attempts(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.get_by_role("searchbox", name="Search").fill("to:grace@full.example")
    page.keyboard.press("Enter")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Price list for the new year")
    identifier = rows.first.locator("a.id").inner_text()
    rows.first.locator("a.id").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Price list for the new year")
    expect(page.locator("dl")).to_contain_text(identifier)
    expect(page.locator("form.card tbody tr")).to_have_count(3)
    expect(page.locator("section", has_text="Attempts to deliver")).to_contain_text("552 5.2.2 Mailbox full")
    desk.shot("message")


def test_the_dot_shows_the_conversation_on_hover_focus_and_click(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    failed = ids.to_text(desk.site.world.failed)
    page.goto(f"/delivery?id={failed}")
    dot, popup = page.locator("a.dot"), page.locator("#popup")
    expect(popup).to_be_hidden()
    dot.hover()
    expect(popup).to_be_visible()
    expect(popup).to_contain_text("Recorded")
    expect(popup).to_contain_text("RCPT TO:<nobody@customer.example>")
    expect(popup).to_contain_text("550 5.1.1")
    desk.shot("session-popup")
    popup.hover()  # the pointer may go into the pop-up to select text
    expect(popup).to_be_visible()
    page.keyboard.press("Escape")
    expect(popup).to_be_hidden()
    page.mouse.move(0, 0)
    dot.focus()
    expect(popup).to_be_visible()
    page.keyboard.press("Escape")
    dot.click()
    expect(popup).to_be_visible()
    expect(page).to_have_url(re.compile("/delivery"))


def test_without_scripts_the_dot_leads_to_the_conversation(browser: Browser, site: Site) -> None:
    desk = Desk(browser, site, java_script_enabled=False)
    desk.log_in()
    desk.page.goto(f"/delivery?id={ids.to_text(site.world.outbound)}")
    desk.page.locator("a.dot").first.click()
    expect(desk.page.get_by_role("heading", level=1)).to_contain_text("Session")
    expect(desk.page.locator("main")).to_contain_text("reconstructed from the log")
    expect(desk.page.locator("main")).to_contain_text("MAIL FROM:<dora@example.com>")
    desk.close()


def test_force_one_recipient_of_a_stalled_message(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.get_by_role("link", name="Quarantine").click()
    page.get_by_label("Show each pending recipient").check()
    row = page.locator("tbody tr", has_text="Quarterly report").filter(has_text="dora@example.com")
    expect(row.locator(".status")).to_have_text("stalled")
    red, green, blue = map(
        int, re.findall(r"\d+", row.locator(".status").evaluate("e => getComputedStyle(e).color"))
    )
    assert red > 150 > 3 * max(green, blue)
    row.get_by_role("checkbox").check()
    desk.shot("quarantine-each")
    page.get_by_role("button", name="Force").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Force this message?")
    page.get_by_role("button", name="Force").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Force this message?")  # a reason is required
    page.get_by_label("Reason").fill("dora expects this report, asked her by phone")
    desk.shot("force")
    page.get_by_role("button", name="Force").click()
    expect(page.locator("#acted")).to_contain_text("Force requested")
    asked = Command.select().where(Command.message_id == desk.site.world.stalled)
    assert [(c.action, c.by_user, c.reason) for c in asked] == [
        ("force", "anna", "dora expects this report, asked her by phone")
    ]
    page.reload()
    assert asked.count() == 1


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1400), ("dark", 360), ("dark", 1400), ("light", 360)]
)
def test_pages_fit_and_are_accessible(browser: Browser, site: Site, scheme: str, width: int) -> None:
    desk = Desk(browser, site, color_scheme=scheme, viewport={"width": width, "height": 800})
    checked = (scheme, width) in (("light", 1400), ("dark", 360))  # axe takes long; the others are looked at
    desk.page.goto("/login")
    wrong = [f"login {line}" for line in desk.accessible() if checked]
    desk.shot(f"login-{scheme}-{width}")
    desk.log_in()
    more = [f"message/{ids.to_text(i)}" for i in (site.world.stalled, site.world.hostile)]
    more.append(f"session/{ids.to_text(site.world.sessions[0])}")
    for path in (*PAGES, *more):
        desk.page.goto("/" + path)
        if checked:
            wrong += [f"{path} {line}" for line in desk.accessible()]
        wrong += [f"{path} scrolls sideways"] * desk.page.evaluate(
            "document.documentElement.scrollWidth > window.innerWidth"
        )
        desk.shot(f"{path.partition('/')[0]}-{scheme}-{width}")
    assert wrong == []
    desk.close()


def test_hostile_mail_runs_nothing_and_asks_nobody(desk: Desk) -> None:
    desk.log_in()
    hostile = ids.to_text(desk.site.world.hostile)
    for path in (*PAGES, f"delivery?id={hostile}", f"message/{hostile}"):
        desk.page.goto("/" + path)
        assert desk.page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    desk.page.goto(f"/delivery?id={hostile}")
    desk.page.locator("a.dot").first.hover()
    expect(desk.page.locator("#popup")).to_contain_text("<script>fetch")
    assert not [url for url in desk.requests if "stolen" in url]
