"""What an administrator does with the pages, in Chromium: find out, look at the conversation, decide."""

import re
import time

import pytest
from playwright.sync_api import Browser, expect

from mailweir.agent import publish
from mailweir.config import load
from mailweir.content.findings import Finding
from mailweir.policies.verdict import Action, decide
from mailweir.records import ids
from mailweir.records.models import Command, Group
from mailweir.records.words import Direction, Status
from mailweir.webui.create_app import create_app
from tests.browser.conftest import PASSWORD, Desk, Site
from tests.browser.seed import Sower

PAGES = (
    "overview",
    "mail-in",
    "pending",
    "pending/groups",
    "delivery",
    "rejected",
    "quarantine",
    "policies",
    "policies/default/0/filtering",
    "policies/default/0/inbound-list",
    "policies/default/0/history",
    "system/nodes",
    "system/users",
    "system/audit",
    "profile",
    "reasons?reply=550 5.1.1 unknown",
)
TELLING = (
    "overview",
    "delivery",
    "quarantine",
    "policies/default/0/filtering",
)  # these have every kind of part

NO_PAGES = {
    "start.start", "login.log_in", "static", "live.stream", "commands.results", "session.part",
    "content.file",
    "mail_in.export", "pending.export", "delivery.export", "rejected.export", "policies.export",
}  # fmt: skip
# How many bytes the page and all it needs have, and by how much its parts moved.
LOADED = """() => new Promise(done => {
    const entries = ["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind));
    const weight = entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0);
    let moved = 0;
    const watch = list => list.getEntries().forEach(entry => { moved += entry.value; });
    new PerformanceObserver(watch).observe({type: "layout-shift", buffered: true});
    requestAnimationFrame(() => setTimeout(() => done([weight, moved]), 0));
})"""


def test_track_a_message_from_a_search_to_its_attempts(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.get_by_role("link", name="Mail In").click()
    page.get_by_role("searchbox", name="Search").press_sequentially("to:grace@full.example")
    expect(page).to_have_url(re.compile("grace"))  # found while typing, and the address can be passed on
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Price list for the new year")
    identifier = rows.first.locator("a.id").inner_text()
    rows.first.locator("a.id").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Price list for the new year")
    expect(page.locator("dl")).to_contain_text(identifier)
    expect(page.locator(".story")).to_contain_text("Mailbox full")
    expect(page.locator("form.card tbody tr")).to_have_count(3)
    expect(page.locator("section", has_text="Attempts to deliver")).to_contain_text("552 5.2.2 Mailbox full")
    desk.shot("message")


def test_the_dot_shows_the_conversation_on_hover_focus_and_click(desk: Desk, site: Site) -> None:
    desk.log_in()
    page = desk.page
    failed = ids.to_text(site.world.failed)
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


def test_force_one_recipient_of_a_stalled_message(desk: Desk, site: Site) -> None:
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
    asked = Command.select().where(Command.message_id == site.world.stalled)
    assert [(c.action, c.by_user, c.reason) for c in asked] == [
        ("force", "anna", "dora expects this report, asked her by phone")
    ]
    page.reload()
    assert asked.count() == 1


@pytest.mark.parametrize(
    ("scheme", "width", "rules"),
    [("light", 1400, None), ("dark", 1400, ["color-contrast"]), ("light", 360, ["target-size"])],
)
def test_pages_fit_and_are_accessible(
    browser: Browser, site: Site, scheme: str, width: int, rules: list[str] | None
) -> None:
    """All of axe's rules once, which takes long; in the dark and on a phone those that can differ there."""
    desk = Desk(browser, site, color_scheme=scheme, viewport={"width": width, "height": 800})
    desk.page.goto("/login")
    wrong = [f"login {line}" for line in desk.accessible(rules)]
    desk.shot(f"login-{scheme}-{width}")
    desk.log_in()
    paths = [*PAGES, *single_pages(site)]
    assert endpoints(site, paths) == endpoints(site) - NO_PAGES, "each page is to be looked at"
    for path in paths:
        desk.page.goto("/" + path)
        if rules is None or path in TELLING:
            wrong += [f"{path} {line}" for line in desk.accessible(rules)]
        wrong += [f"{path} scrolls sideways"] * desk.page.evaluate(
            "document.documentElement.scrollWidth > window.innerWidth"
        )
        weight, shift = desk.page.evaluate(LOADED)
        wrong += [f"{path} weighs {weight} bytes"] * (weight > 150_000)
        wrong += [f"{path} moves by {shift} while it loads"] * (shift > 0)
        name = re.sub("[^a-z]+", "-", path.partition("?")[0])[:28]
        desk.shot(f"{name}-{scheme}-{width}")
    assert wrong == []
    desk.close()


def single_pages(site: Site) -> list[str]:
    """Pages of one thing: messages, their content, a conversation, a group's members."""
    group = Group.get_or_create(name="Partners", defaults={"position": 1})[0]
    messages = [f"message/{ids.to_text(number)}" for number in (site.world.stalled, site.world.hostile)]
    session = f"session/{ids.to_text(site.world.sessions[0])}"
    return [*messages, f"{messages[0]}/content", session, f"policies/group/{group.id}/members"]


def endpoints(site: Site, paths: list[str] | None = None) -> set[str]:
    """What answers to a GET of these paths; without them, everything that answers to one outside the API."""
    app = create_app(load(None, site.env))
    if paths is None:
        rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
        return {rule.endpoint for rule in rules if not rule.endpoint.startswith("api.")}
    adapter = app.url_map.bind("localhost")
    return {adapter.match("/" + path.partition("?")[0])[0] for path in paths}


def test_the_check_itself_sees_what_is_wrong(desk: Desk) -> None:
    desk.page.goto("/login")
    desk.page.evaluate("document.body.append(document.createElement('button'), new Image(9, 9))")
    assert {line.partition(":")[0] for line in desk.accessible()} >= {"button-name", "image-alt"}


def test_a_trusted_partner_by_keyboard_alone(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.goto("/policies")
    desk.reach(page.get_by_label("Add a domain"))
    page.keyboard.type("example.net")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Domain example.net")).to_be_visible()
    treatment = page.get_by_role("group", name="Outbound encrypted message treatment")
    desk.reach(treatment.get_by_role("radio").first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(treatment.get_by_label("Allow messages to the address(es)")).to_be_checked()
    desk.reach(treatment.get_by_role("textbox"))
    page.keyboard.type(".partner.example # contract 7")
    desk.reach(page.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Saved")
    desk.shot("policy-saved")
    decided = decide(
        publish.load(),
        direction=Direction.OUTBOUND,
        sender="dora@example.net",
        recipient="eve@mail.partner.example",
        findings=[Finding("encrypted-zip", "2/report.zip")],
        now=time.time(),
    )
    assert decided.action is Action.ACCEPT


def test_a_second_user_limited_to_a_domain(browser: Browser, site: Site, desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.goto("/system/users")
    form = page.locator("form", has_text="Add a user")
    form.get_by_label("Name").fill("olga")
    form.get_by_label("Role").select_option("operator")
    form.get_by_label("Limited to domains").fill("other.example")
    form.get_by_role("button", name="Add").click()
    password = page.locator("#password").inner_text()
    olga = Desk(browser, site)
    olga.log_in("olga", password)
    expect(olga.page).to_have_url(re.compile("/overview"))
    expect(olga.page.locator(".tile", has_text="Stalled now")).to_contain_text("0")
    olga.page.goto("/policies")
    expect(olga.page.locator("main")).to_contain_text("Your domains have no policy of their own")
    expect(olga.page.get_by_role("link", name="System")).to_have_count(0)
    olga.page.goto("/mail-in")
    expect(olga.page.locator("main")).to_contain_text("No mail has come in yet")
    page.goto("/system/users")
    card = page.locator("form", has_text="olga")
    card.get_by_label("Limited to domains").fill("example.com")
    card.get_by_role("button", name="Save").click()
    olga.page.reload()
    expect(olga.page.locator("tbody tr").first).to_contain_text("Minutes of Tuesday")
    olga.close()


def test_new_mail_appears_by_itself_in_live_mode(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.goto("/mail-in?subject=Fresh")
    expect(page.locator("main")).to_contain_text("Nothing found")
    page.get_by_role("button", name="Live").click()
    sower = Sower(time.time())
    sower.message("zoe@partner.example", [("bob@example.com", Status.QUEUED, "", "")], "Fresh news", age=0)
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Fresh news")


def test_german(browser: Browser, site: Site) -> None:
    desk = Desk(browser, site, locale="de-DE", viewport={"width": 1400, "height": 850})
    desk.log_in("anna", PASSWORD, name_label="Benutzer", password_label="Passwort", button="Anmelden")
    desk.page.get_by_role("link", name="Quarantäne").click()
    expect(desk.page.locator("tbody tr").first).to_contain_text("angehalten")
    desk.shot("german")
    desk.close()


def test_hostile_mail_runs_nothing_and_asks_nobody(desk: Desk, site: Site) -> None:
    desk.log_in()
    hostile = ids.to_text(site.world.hostile)
    for path in (
        "overview",
        "mail-in",
        "pending",
        "delivery",
        "rejected",
        "quarantine",
        f"message/{hostile}",
    ):
        desk.page.goto("/" + path)
        assert desk.page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    desk.page.goto(f"/delivery?id={hostile}")
    desk.page.locator("a.dot").first.hover()
    expect(desk.page.locator("#popup")).to_contain_text("<script>fetch")
    assert not [url for url in desk.requests if "stolen" in url]
