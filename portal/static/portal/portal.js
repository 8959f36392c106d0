// What the pages do beyond HTML: copy, count down, ask, close menus, keep the focus.
// Everything works by data attributes on whatever is in the page, also after a swap; no inline
// code and nothing evaluated, so that the strict content security policy holds.
"use strict";

(() => {
  const all = (root, selector) => [
    ...(root.matches?.(selector) ? [root] : []),
    ...(root.querySelectorAll?.(selector) ?? []),
  ];

  // Copy ----------------------------------------------------------------------------------
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const text = source.textContent.trim();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without permission or without https the text is selected for the keyboard instead.
      getSelection().selectAllChildren(source);
      return;
    }
    const words = button.querySelector("span");
    const before = words.textContent;
    words.textContent = button.dataset.copied;
    button.classList.add("is-done");
    announce(button.dataset.copied);
    setTimeout(() => {
      words.textContent = before;
      button.classList.remove("is-done");
    }, 2000);
  }

  // Countdown -----------------------------------------------------------------------------
  const two = (number) => String(number).padStart(2, "0");

  function left(seconds) {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    const rest = `${two(minutes)}:${two(seconds % 60)}`;
    return hours ? `${hours}:${rest}` : rest;
  }

  function tick() {
    for (const element of document.querySelectorAll("[data-countdown]")) {
      const until = Date.parse(element.dataset.countdown);
      const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      element.title ||= element.textContent.trim();
      element.textContent = seconds ? left(seconds) : element.dataset.done;
      element.classList.toggle("is-short", seconds > 0 && seconds < 120);
      if (!seconds) {
        element.classList.add("is-over");
        element.removeAttribute("data-countdown");
        announce(element.dataset.done);
      }
    }
  }

  // Announcements: one polite region per page ---------------------------------------------
  function announce(text) {
    const region = document.getElementById("announcer");
    if (region && text) region.textContent = text;
  }

  // Dialogs and menus ---------------------------------------------------------------------
  function openDialog(link) {
    const dialog = document.getElementById(link.dataset.dialog);
    dialog.showModal();
    dialog.querySelector("input:not([type=hidden]), [data-dialog-close]")?.focus();
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  }

  function closeRail() {
    const rail = document.getElementById("site-nav");
    if (!rail?.classList.contains("is-open")) return;
    rail.classList.remove("is-open");
    document.querySelector("[data-rail-open]")?.focus();
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    closeMenus(target.closest("details.menu"));
    const copyButton = target.closest("[data-copy]");
    if (copyButton) copy(copyButton);
    const opener = target.closest("[data-dialog]");
    if (opener) {
      event.preventDefault();
      openDialog(opener);
    }
    const closer = target.closest("[data-dialog-close]");
    if (closer?.closest("dialog[open]")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    if (target.closest("[data-rail-open]")) {
      event.preventDefault();
      const rail = document.getElementById("site-nav");
      rail.classList.add("is-open");
      rail.querySelector("a")?.focus();
    } else if (target.closest("[data-rail-close]") || target.id === "site-nav") {
      if (document.getElementById("site-nav").classList.contains("is-open")) event.preventDefault();
      closeRail();
    }
  });

  document.addEventListener("keydown", (event) => {
    const link = event.target instanceof Element && event.target.closest("a[role=button]");
    if (link && event.key === " ") {
      event.preventDefault();
      link.click();
    }
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest?.("details.menu[open]");
    closeMenus();
    menu?.querySelector("summary")?.focus();
    closeRail();
  });

  // The inbox: letters work only while the focus is in one of its rows, and never while typing.
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (!(target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = target.closest("[data-inbox-row]");
    if (!row || target.matches("input, textarea, select")) return;
    const rows = [...document.querySelectorAll("[data-inbox-row]")];
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") {
      rows[rows.indexOf(row) + (key === "j" ? 1 : -1)]?.focus();
    } else if (key === "a" || key === "r") {
      row.querySelector(`[data-inbox-key=${key}]`)?.click();
      if (key === "r") row.querySelector("details[open] textarea")?.focus();
    } else return;
    event.preventDefault();
  });

  // A form sends once; the server's idempotency key is the guard, this spares the wait.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) event.preventDefault();
    else if (form.method === "post" && !form.matches("[hx-post], [hx-put], [hx-delete]")) {
      form.dataset.sent = "1";
    }
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // Choosing in a [data-autosubmit] select or radio sends its form.
  document.addEventListener("change", (event) => {
    const control = event.target;
    if (control instanceof Element && control.closest("[data-autosubmit]")) {
      control.form?.requestSubmit();
    }
  });

  // Focus: an error first, else the new heading, else wherever the reader was --------------
  function settle(root) {
    for (const button of all(root, ".snippet-copy")) button.hidden = false;
    const wrong = all(root, "[data-focus]")[0];
    if (wrong) wrong.focus();
    else if (root instanceof Element) all(root, "h1[tabindex]")[0]?.focus();
  }

  document.addEventListener("htmx:after:swap", () => {
    const words = document.querySelector("main [data-announce]");
    if (words) announce(words.dataset.announce);
    for (const button of document.querySelectorAll(".snippet-copy")) button.hidden = false;
  });
  document.addEventListener("htmx:after:settle", (event) => {
    const root = event.target instanceof Element ? event.target : null;
    if (root && root !== document.body) settle(root);
    tick();
  });

  settle(document);
  tick();
  setInterval(tick, 1000);
})();
