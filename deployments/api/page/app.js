// The status page: asks for its data every few seconds, and shows what has changed.

import { showActivity } from "./activity.js";
import { ask, newKey, token } from "./api.js";
import { prepareApprovals, showApprovals } from "./approvals.js";
import { byId, el, keyed } from "./dom.js";
import { prepareOrderFile } from "./order-file.js";
import { openNamed, prepareIncidents } from "./incident.js";
import { tick, timeOfDay, when } from "./format.js";
import { prepareReports } from "./report.js";
import {
  showAgents, showFigures, showHealth, showIncidents, showObjectives, showOpenOrders, showOrders, showStock, showWorkflows, showTimeline,
} from "./sections.js";

const EVERY = 3000; // milliseconds between two questions
const SLOWEST = 15_000; // the same, while nobody answers
const isPublic = location.pathname.endsWith("/public");
const source = isPublic ? "public/overview" : "orchestrate/overview";

let page = null; // the data as they were last told
let etag = null;
let heard = null; // when the API last answered
let failures = 0;
let timer = 0;
let asking = false;

async function poll() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    const answer = await ask(source, { etag });
    if (answer) {
      page = answer.value;
      etag = answer.etag;
      show(page);
    }
    heard = new Date();
    failures = 0;
    isFresh();
  } catch (problem) {
    failures += 1;
    if (problem.status === 401) return needToken(problem);
    isStale(problem);
  } finally {
    asking = false;
  }
  if (!document.hidden) timer = setTimeout(poll, Math.min(EVERY * 2 ** failures, SLOWEST));
}

function show(data) {
  byId("token-form").hidden = true;
  byId("content").hidden = false;
  for (const section of document.querySelectorAll("[data-part]")) {
    section.hidden = !data.parts.includes(section.dataset.part);
  }
  for (const column of document.querySelectorAll(".column")) {
    column.hidden = !column.querySelector("section:not([hidden])");
  }
  if (data.health) showHealth(data.health, data.parts);
  showFigures(data);
  if (data.approvals) showApprovals(data.approvals, isPublic);
  if (data.incidents) showIncidents(data.incidents, data.currency);
  if (data.objectives) showObjectives(data.objectives);
  if (data.agents) showAgents(data.agents);
  if (data.workflows) showWorkflows(data.workflows, data.prefect);
  if (data.parts.includes("stock")) showStock(data.stock);
  if (data.parts.includes("orders")) showOrders(data.orders, data.currency);
  if (data.open_orders) showOpenOrders(data.open_orders);
  if (data.timeline) showTimeline(data.timeline);
  if (data.activity) showActivity(data.activity);
  byId("start").hidden = !data.can_start.length;
  keyed(byId("start-list"), data.can_start, (name) => name, (name) =>
    el("li", {}, el("button", { type: "button", data: { focus: name }, onclick: () => start(name) }, name)));
  byId("forget").hidden = !token.get();
}

function isFresh() {
  if (document.body.classList.contains("stale")) show(page); // with its title
  byId("live").dataset.state = "live";
  byId("live-text").textContent = `Live, as of ${timeOfDay(heard)}`;
  if (byId("notice").firstChild) byId("notice").replaceChildren();
  document.body.classList.remove("stale");
}

function isStale(problem) {
  byId("live").dataset.state = "stale";
  byId("live-text").textContent = heard ? `Stale, as of ${timeOfDay(heard)}` : "No data";
  document.body.classList.toggle("stale", page !== null);
  document.title = "Stale · System Orchestrator";
  const said = `${problem.message} ${problem.hint}`.trim();
  const since = heard ? ["What you see was true ", when(heard.toISOString()), ". "] : [];
  if (byId("notice").dataset.said === said && byId("notice").firstChild) return;
  byId("notice").dataset.said = said;
  byId("notice").replaceChildren(el("p", {}, el("strong", {}, said), " ", since, "Trying again."));
}

function needToken(problem) {
  byId("live").dataset.state = "stale";
  byId("live-text").textContent = "Locked";
  byId("notice").replaceChildren();
  document.body.classList.remove("stale");
  const refused = token.get() !== null;
  token.forget();
  etag = null;
  byId("content").hidden = true;
  byId("forget").hidden = true;
  byId("start").hidden = true;
  byId("token-form").hidden = false;
  byId("token-why").textContent = refused ? problem.message : "This page is not open to everybody.";
  byId("token").value = "";
  byId("token").focus();
}

async function start(workflow) {
  byId("start").open = false;
  byId("start").querySelector("summary").focus();
  say(`Starting ${workflow} …`);
  try {
    await ask("orchestrate/workflow", { method: "POST", body: { workflow }, headers: { "Idempotency-Key": newKey() } });
    say(`${workflow} was accepted; it shows among the workflows once it runs.`);
  } catch (problem) {
    if (problem.status === 401) return needToken(problem);
    say(`${workflow} was not started. ${problem.message} ${problem.hint}`.trim(), true);
  }
}

let saying = 0;

function say(text, keep = false) {
  clearTimeout(saying);
  byId("said").textContent = text;
  if (!keep) saying = setTimeout(() => (byId("said").textContent = ""), 20_000);
}

const THEMES = ["system", "light", "dark"];

function prepareTheme() {
  const button = byId("theme");
  const current = () => document.documentElement.dataset.theme ?? "system";
  const label = () => (button.textContent = `Theme: ${current()}`);
  label();
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Storage may be forbidden; then the choice holds as long as the page.
    }
    label();
  });
}

function prepare() {
  prepareTheme();
  prepareReports();
  prepareIncidents(needToken, poll);
  prepareOrderFile();
  prepareApprovals(needToken);
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(byId("token").value.trim());
    poll();
  });
  byId("forget").addEventListener("click", () => {
    token.forget();
    location.reload();
  });
  for (const choice of document.querySelectorAll("input[name=span]")) {
    choice.addEventListener("change", () => page?.activity && showActivity(page.activity));
  }
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && byId("start").open) {
      byId("start").open = false;
      byId("start").querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!byId("start").contains(event.target)) byId("start").open = false;
  });
  setInterval(tick, 10_000);
  poll().then(openNamed);
}

prepare();
