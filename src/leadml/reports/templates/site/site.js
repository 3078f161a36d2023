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
$$("form[method=post]").forEach(form => form.addEventListener("submit", e => {
  if (form.dataset.sent) { e.preventDefault(); return; }
  form.dataset.sent = "yes";
  $$("button", form).forEach(b => { b.setAttribute("aria-disabled", "true"); });
  const said = $("[data-busy-here]", form); if (said && form.dataset.busy) said.textContent = form.dataset.busy;
}));
$$("select[data-submit]").forEach(s => s.addEventListener("change", () => s.form.requestSubmit()));

// a page that comes back from the browser's memory takes answers again
addEventListener("pageshow", e => { if (e.persisted) location.reload(); });

// thresholds: the server draws every setting; the newest answer counts
const controls = $("#controls");
if (controls) {
  const number = new Intl.NumberFormat("en");
  let asking = null, due = 0;
  const fill = i => {
    i.style.setProperty("--p", 100 * (i.value - i.min) / (i.max - i.min) + "%");
    const said = i.dataset.untouched || i.dataset.unit.replace("{}", number.format(i.value));
    $(`#${i.id}-out`).textContent = said; i.setAttribute("aria-valuetext", said);
  };
  const plan = () => {
    const basis = $("input[name=basis]:checked", controls).value, asked = new URLSearchParams({ basis });
    $$("[data-bases]", controls).forEach(box => {
      const shown = box.dataset.bases.split(" ").includes(basis), i = $("input", box);
      box.hidden = !shown; i.disabled = !shown || !!i.dataset.untouched;
      if (!i.disabled) asked.set(i.id, i.value);
      if (shown && i.dataset.untouched) i.disabled = false;
    });
    return asked;
  };
  const draw = async () => {
    const asked = plan();
    if (asking) asking.abort();
    asking = new AbortController();
    $("#result").setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`/thresholds?part=result&${asked}`, { signal: asking.signal, headers: { "Accept": "text/html" } });
      if (answer.redirected) { $("#moved").textContent = controls.dataset.out; return; }
      if (!answer.ok) { $("#moved").textContent = controls.dataset.silent; return; }
      const told = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#result");
      if (!told) return;
      const open = $$("#result details").map(d => d.open);
      $("#result").replaceWith(told);
      $$("#result details").forEach((d, i) => { d.open = !!open[i]; });
      $("#moved").textContent = told.dataset.moved;
      const save = $("#save"); if (save) save.disabled = told.dataset.same === "yes";
      history.replaceState(null, "", `/thresholds?${asked}`);
    } catch (error) { if (error.name !== "AbortError") $("#moved").textContent = controls.dataset.silent; }
  };
  $$("input[type=range]", controls).forEach(i => { fill(i); i.addEventListener("input", () => { delete i.dataset.untouched; fill(i); clearTimeout(due); due = setTimeout(draw, 30); }); });
  $$("input[name=basis]", controls).forEach(i => i.addEventListener("change", draw));
  controls.addEventListener("submit", e => e.preventDefault());
  const saving = $("#saving");
  if (saving) saving.addEventListener("submit", () => {
    $$("[data-plan]", saving).forEach(i => i.remove());
    plan().forEach((value, name) => { const i = document.createElement("input"); i.type = "hidden"; i.name = name; i.value = value; i.dataset.plan = ""; saving.append(i); });
  });
}
