"""What is read of a message appears by itself once the agent is through; nobody has to reload the page."""

from __future__ import annotations

import time

from playwright.sync_api import Browser, expect

from mailweir.agent.sealed import Opener
from mailweir.records import ids
from mailweir.records.models import Command, Node, Sealed
from mailweir.records.words import CommandState
from tests.browser.conftest import Desk, Site


def test_the_page_looks_again_by_itself(browser: Browser, site: Site) -> None:
    desk = Desk(browser, site)
    desk.log_in()
    Node.update(seen=time.time(), key=Opener().key).execute()  # an agent that lives, though it does nothing
    desk.page.goto(f"/message/{ids.to_text(site.world.stalled)}/content")
    desk.page.get_by_role("button", name="Show the header").click()
    expect(desk.page.get_by_role("status")).to_contain_text("The agent has not read it yet.")
    newest = Command.select().order_by(Command.id.desc()).get()
    assert newest.action == "headers"
    Command.update(state=CommandState.REFUSED, result="it has left the queue").where(
        Command.id == newest.id
    ).execute()
    expect(desk.page.get_by_role("status")).to_contain_text("It cannot be read: it has left the queue")
    expect(desk.page.locator(".note[hx-trigger]")).to_have_count(0)  # so it does not go on asking
    Sealed.delete().where(Sealed.command_id == newest.id).execute()  # other tests count what they asked for
    newest.delete_instance()
    desk.close()
