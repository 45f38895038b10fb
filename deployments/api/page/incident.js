// One incident in a window over the page: what people may do about it, and its story.

import { ask, newKey } from "./api.js";
import { byId, el, told } from "./dom.js";
import { openReport } from "./report.js";

const MARK = "#incident-"; // in the address, so that an incident can be linked to
let onUnauthorized = () => {};
let afterwards = () => {};

/** Open incidents on a click, and the one that the address names. */
export function prepareIncidents(unauthorized, changed) {
  onUnauthorized = unauthorized;
  afterwards = changed;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-incident]");
    if (button) location.hash = MARK + button.dataset.incident;
  });
  addEventListener("hashchange", openNamed);
  byId("report").addEventListener("close", () => {
    if (location.hash.startsWith(MARK)) history.replaceState(null, "", location.pathname);
  });
}

/** The incident that the address names, if it names one. */
export function openNamed() {
  if (location.hash.startsWith(MARK)) openIncident(decodeURIComponent(location.hash.slice(MARK.length)));
}

function openIncident(id) {
  const path = `incidents/${encodeURIComponent(id)}`;
  return openReport(`${path}/report`, async () => [await standing(id, path)]);
}

async function standing(id, path) {
  const { value } = await ask(path);
  const one = value.incident;
  const fault = el("p", { role: "alert", class: "fault" });
  const facts = [
    el("span", {}, told(one.resource)),
    el("span", { class: "tag" }, value.state),
    value.state === "acknowledged" && el("span", {}, "seen to by ", told(one.acknowledged_by)),
    one.assigned_to && el("span", {}, "assigned to ", told(one.assigned_to)),
    one.silence_id && el("span", { class: "tag" }, "silenced"),
    one.flapping_since && el("span", { class: "tag warning" }, "flapping"),
  ];
  return el("div", { class: "standing-bar" }, el("p", { class: "facts" }, facts), value.state !== "resolved" && form(id, path, value.state, fault), fault);
}

function form(id, path, state, fault) {
  const note = el("textarea", { id: "incident-note", rows: "1", maxlength: "2000" });
  const act = async (verb, body) => {
    fault.textContent = "";
    try {
      await ask(`${path}/${verb}`, { method: "POST", body, headers: { "Idempotency-Key": newKey() } });
      afterwards();
      await openIncident(id);
    } catch (problem) {
      fault.textContent = `Nothing was changed. ${problem.message} ${problem.hint}`.trim();
      if (problem.status === 401) onUnauthorized(problem);
    }
  };
  const said = () => (note.value ? { note: note.value } : {});
  const button = (text, onclick, strong = false) =>
    el("button", { type: "button", class: strong ? "button strong" : "button", onclick }, text);
  return el(
    "form",
    { class: "acts", onsubmit: (event) => event.preventDefault() },
    el("label", { for: "incident-note" }, "Note ", el("span", { class: "quiet" }, "(optional)")),
    note,
    el("p", { class: "buttons" }, 
      state === "triggered" && button("I see to it", () => act("acknowledge", said()), true),
      button("It is dealt with", () => act("resolve", said())),
      button("Only add the note", () => (note.value ? act("notes", { text: note.value }) : note.focus()))),
  );
}
