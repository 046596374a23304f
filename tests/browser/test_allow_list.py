"""An allow list in Chromium with scripts switched off: add, edit, import with a mistake, import, remove."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Desk, Site


def test_without_scripts_a_list_is_kept_entry_by_entry_and_from_a_file(browser: Browser, site: Site) -> None:
    desk = Desk(browser, site, java_script_enabled=False)
    desk.log_in()
    page = desk.page
    page.goto("/policies/default/0/filtering")
    page.get_by_role("link", name="Outbound list").first.click()
    add = page.locator("form", has_text="Add an entry")
    add.get_by_label("Address or domain").fill("partner.example")
    add.get_by_label("Last day").fill("2031-05-01")
    add.get_by_label("Note").fill("contract 7")
    add.get_by_role("button", name="Save").click()
    row = page.locator("tbody tr", has_text="partner.example")
    expect(row).to_contain_text("contract 7")
    expect(row).to_contain_text("2031-05-01")

    row.get_by_role("link", name="Edit partner.example").click()
    form = page.locator("form", has_text="Change the entry")
    expect(form.get_by_label("Last day")).to_have_value("2031-05-01")
    form.get_by_label("Note").fill("<b>contract</b> 8")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("<b>contract</b> 8")

    for content, told in ((b"good.example\nno good\n", "line 2"), (b"good.example\n", "Taken in: 1 entries")):
        upload = page.locator("form", has_text="Import a file")
        upload.get_by_label("A text file").set_input_files(
            {"name": "list.txt", "mimeType": "text/plain", "buffer": content}
        )
        upload.get_by_role("button", name="Import").click()
        expect(page.locator("body")).to_contain_text(told)
    expect(page.locator("tbody tr")).to_have_count(2)
    for name in ("good.example", "partner.example"):
        page.get_by_role("button", name=f"Remove {name}").click()
    expect(page.locator("main")).to_contain_text("The list is empty")
    desk.close()
