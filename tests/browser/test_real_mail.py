"""The pages over the whole product: mail stalls, somebody decides in the browser, it arrives or is gone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PASSWORD, Desk
from tests.harness.stack import running_stack
from trial import files
from trial.samples import OUR_USER, Sample
from trial.stack import Stack
from trial.waiting import wait_for
from trial.watch import send

STALLED = ("Figures to force", "Figures to unlock", "Figures to delete")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Everything running, with an operator otto and an administrator anna."""
    with running_stack() as running:
        for name, role in (("otto", "operator"), ("anna", "administrator")):
            running.mailweir("user", "add", name, "--role", role, "--password-stdin", input=PASSWORD + "\n")
        yield running


def arrived(stack: Stack) -> list[str]:
    """Subjects of what the receiving server got."""
    lines = [line for one in stack.received() for line in one.content.decode("utf-8", "replace").splitlines()]
    return [line.partition(": ")[2] for line in lines if line.startswith("Subject: ")]


def test_stalled_mail_is_forced_unlocked_and_deleted(stack: Stack, browser: Browser) -> None:
    for subject in STALLED:
        send(stack, Sample(subject, {OUR_USER: "stalled"}, files.encrypted_zip, "figures.zip"))
    send(stack, Sample("Plain words", {OUR_USER: "delivered"}))
    desk = Desk(browser, stack.url.rstrip("/"), viewport={"width": 1400, "height": 850})
    desk.log_in("otto")
    page = desk.page
    page.goto("/quarantine")
    page.get_by_role("button", name="Live").click()
    expect(page.locator("tbody tr")).to_have_count(3, timeout=20_000)
    page.locator("tbody tr", has_text="to force").get_by_role("checkbox").check()
    page.get_by_role("button", name="Force").click()
    page.get_by_label("Reason").fill("the sender called")
    page.get_by_role("button", name="Force").click()
    expect(page.locator("#acted")).to_contain_text("Force done", timeout=20_000)
    desk.shot("real-forced")

    page.goto("/quarantine")
    page.locator("tbody tr", has_text="to delete").get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#acted")).to_contain_text("Delete done", timeout=20_000)

    page.goto("/quarantine")
    page.locator("tbody tr", has_text="to unlock").get_by_role("checkbox").check()
    page.get_by_role("button", name="Unlock").click()
    page.get_by_label("Password of the encrypted file").fill("wr0ng")
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator("#acted")).to_contain_text("Unlock failed", timeout=20_000)
    page.locator("tbody tr", has_text="to unlock").locator("a.id").click()
    page.get_by_label("Password of the encrypted file").fill("wr0ng, too")
    page.get_by_role("button", name="Unlock and scan").click()
    expect(page.locator(".note").first).to_contain_text("Unlock failed", timeout=20_000)
    page.goto("/quarantine")
    page.locator("tbody tr", has_text="to unlock").get_by_role("checkbox").check()
    page.get_by_role("button", name="Unlock").click()
    page.get_by_label("Password of the encrypted file").fill(files.PASSWORD)
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator("#acted")).to_contain_text("Unlock done", timeout=20_000)
    desk.shot("real-unlocked")

    wanted = {"Figures to force", "Figures to unlock", "Plain words"}
    wait_for(lambda: set(arrived(stack)) >= wanted, "the released mail", deadline=20)
    assert "Figures to delete" not in arrived(stack)
    page.goto("/delivery")
    row = page.locator("tbody tr", has_text=OUR_USER).first
    expect(row).to_be_visible()
    row.locator("a.dot").focus()
    expect(page.locator("#popup")).to_contain_text("Recorded")
    expect(page.locator("#popup")).to_contain_text(f"RCPT TO:<{OUR_USER}>")
    desk.shot("real-session")
    desk.close()


def test_header_and_content_of_stalled_mail(stack: Stack, browser: Browser) -> None:
    packed = files.encrypted_zip()  # other bytes each time
    send(stack, Sample("Plans for <b>May</b>", {OUR_USER: "stalled"}, lambda: packed, "plans.zip"))
    desk = Desk(browser, stack.url.rstrip("/"), viewport={"width": 1400, "height": 850})
    desk.log_in("anna")
    page = desk.page
    page.goto("/quarantine?q=subject:plans")
    page.get_by_role("button", name="Live").click()
    row = page.locator("tbody tr", has_text="Plans for")
    expect(row).to_have_count(1, timeout=20_000)
    row.locator("a.id").click()
    page.get_by_role("link", name="Header and content").click()
    page.get_by_role("button", name="Show header and content").click()
    expect(page.locator("main")).to_contain_text("X-Mailweir-ID", timeout=20_000)
    expect(page.locator("pre.letter").first).to_be_visible()
    assert desk.accessible() == []
    desk.shot("real-content")
    page.get_by_role("link", name="Store").last.click()
    expect(page.get_by_role("heading", name="Store this file?")).to_be_visible()
    assert desk.accessible() == []
    desk.shot("real-store")
    with page.expect_download() as download:
        page.get_by_role("link", name="Store it").click()
    assert download.value.suggested_filename == "plans.zip"
    assert download.value.path().read_bytes() == packed
    desk.close()
