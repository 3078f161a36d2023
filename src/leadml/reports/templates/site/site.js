// leadml pages: colours, times in the viewer's zone, confirmations. No page needs it to be read.
"use strict";
const $ = (q, el = document) => el.querySelector(q), $$ = (q, el = document) => [...el.querySelectorAll(q)];

// colours: the server sets them from the cookie, so that no page flashes
const themes = ["auto", "light", "dark"], button = $("#theme");
if (button) button.addEventListener("click", () => {
  const root = document.documentElement, now = root.dataset.theme || "auto";
  const next = themes[(themes.indexOf(now) + 1) % themes.length];
  if (next === "auto") delete root.dataset.theme; else root.dataset.theme = next;
  document.cookie = `leadml_theme=${next}; Path=/; Max-Age=31536000; SameSite=Strict`;
  button.setAttribute("aria-label", button.dataset[next]);
});

// moments stand in UTC in the page and are shown in the zone of whoever reads
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
$$("time[data-local]").forEach(t => {
  const when = new Date(t.dateTime);
  if (isNaN(when)) return;
  t.title = t.dateTime;
  t.textContent = (t.dataset.local === "minute" ? minute : day).format(when);
});
$$("[data-zone]").forEach(e => { const z = Intl.DateTimeFormat().resolvedOptions().timeZone; if (z) e.textContent = e.dataset.zone.replace("{zone}", z); });

// a form that works for some seconds says so and is sent once
$$("form[data-busy]").forEach(form => form.addEventListener("submit", () => {
  $$("button", form).forEach(b => { b.setAttribute("aria-disabled", "true"); });
  const said = $("[data-busy-here]", form); if (said) said.textContent = form.dataset.busy;
}));
$$("select[data-submit]").forEach(s => s.addEventListener("change", () => s.form.requestSubmit()));
