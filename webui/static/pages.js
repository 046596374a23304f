// The little that needs a script: the conversation pop-up on session dots, copy buttons, select-all boxes.
// Without it a dot is a link to the session's page, and everything else works as it is.
"use strict";

const popup = document.getElementById("popup");
const kept = new Map(); // session address -> its conversation, fetched once a page
let anchor = null; // the dot whose pop-up is open or on its way
let timer = 0;

function later(task, milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(task, milliseconds);
}

async function show(dot) {
  clearTimeout(timer);
  if (anchor === dot && popup.matches(":popover-open")) return;
  anchor = dot;
  const address = dot.dataset.part;
  if (!kept.has(address)) {
    const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) kept.set(address, await answer.text());
  }
  if (anchor !== dot || !kept.has(address)) return;
  popup.innerHTML = kept.get(address); // our own server's escaped page part
  if (!popup.matches(":popover-open")) popup.showPopover();
  dot.setAttribute("aria-expanded", "true");
  place(dot);
}

function hide() {
  clearTimeout(timer);
  anchor?.setAttribute("aria-expanded", "false");
  anchor = null;
  if (popup.matches(":popover-open")) popup.hidePopover();
}

function place(dot) {
  const at = dot.getBoundingClientRect();
  const width = popup.offsetWidth;
  const height = popup.offsetHeight;
  const left = Math.max(8, Math.min(at.left, window.innerWidth - width - 8));
  const below = at.bottom + 4;
  const top = below + height <= window.innerHeight - 8 ? below : Math.max(8, at.top - height - 4);
  popup.style.left = `${left}px`;
  popup.style.top = `${top}px`;
}

if (popup) {
  const dotOf = (event) => event.target.closest?.(".dot[data-part]");
  document.addEventListener("mouseover", (event) => {
    const dot = dotOf(event);
    if (dot) later(() => show(dot), 120);
    else if (event.target.closest?.("#popup")) clearTimeout(timer);
    else if (anchor && document.activeElement !== anchor) later(hide, 250);
  });
  document.addEventListener("focusin", (event) => {
    const dot = dotOf(event);
    if (dot) show(dot);
    else if (anchor && !event.target.closest("#popup")) hide();
  });
  document.addEventListener("click", (event) => {
    const dot = dotOf(event);
    if (dot && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      show(dot);
    } else if (!dot && anchor && !event.target.closest("#popup")) hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  document.addEventListener("scroll", (event) => event.target !== popup && hide(), { passive: true, capture: true });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const before = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => (button.textContent = before), 1200);
});

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches?.("input[data-submit]")) box.form.requestSubmit();
  if (box.matches?.("input[data-all]")) {
    for (const one of box.form.querySelectorAll(`input[name="${box.dataset.all}"]`)) one.checked = box.checked;
  }
});

// The results of acts are asked for again until the agent is through with them.
async function again() {
  const box = document.getElementById("acted");
  if (!box?.dataset.again) return;
  const answer = await fetch(box.dataset.again).catch(() => null);
  if (answer?.ok && !answer.redirected) box.outerHTML = await answer.text();
  setTimeout(again, 1000);
}
again();

// Live mode: the server says when there is something new, the page fetches the list as it is shown.
for (const button of document.querySelectorAll("button[data-live]")) {
  let source = null;
  button.hidden = false;
  button.addEventListener("click", () => {
    const on = source === null;
    button.setAttribute("aria-pressed", String(on));
    if (!on) {
      source.close();
      source = null;
      return;
    }
    source = new EventSource(button.dataset.live + location.search);
    source.addEventListener("rows", async () => {
      const chosen = () => document.querySelector("#result input:checked"); // never under somebody's selection
      if (chosen()) return;
      const answer = await fetch(location.href).catch(() => null);
      if (!answer?.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("result");
      if (fresh && !chosen()) document.getElementById("result").replaceWith(fresh);
    });
  });
}

for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
for (const box of document.querySelectorAll("input[data-all]")) box.hidden = false;
