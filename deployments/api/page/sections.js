// The parts of the page, each from its part of the data.

import { byId, el, keyed, told } from "./dom.js";
import { duration, money, number, percent, when } from "./format.js";
import { icon } from "./icons.js";
import { reportTable } from "./report.js";

const HEALTH = { healthy: "good", degraded: "warning", unhealthy: "bad" };
const SEVERITY = { critical: "bad", error: "bad", warning: "warning", info: "info" };
const OUTCOME = {
  succeeded: ["good", "succeeded"],
  partial: ["warning", "partly"],
  failed: ["bad", "failed"],
  running: ["running", "running"],
};

export function showHealth(health, parts) {
  const meaning = HEALTH[health.state];
  byId("health").dataset.state = meaning;
  if (byId("health-icon").dataset.meaning !== meaning) {
    byId("health-icon").dataset.meaning = meaning;
    byId("health-icon").replaceChildren(icon(meaning));
  }
  if (byId("health-headline").textContent !== health.headline) {
    byId("health-headline").textContent = health.headline;
  }
  keyed(byId("reasons"), health.reasons, (reason) => reason.text, (reason) =>
    el("li", {}, parts.includes(reason.part) && reason.part !== "health"
      ? el("a", { href: `#${reason.part}`, data: { focus: "reason" } }, told(reason.text))
      : told(reason.text)));
  const mark = { good: "✓", warning: "▲", bad: "✕" }[meaning];
  document.title = `${mark} ${health.headline} · System Orchestrator`;
}

export function showFigures(page) {
  const figures = [];
  const add = (name, value, note = "") => figures.push({ name, value, note });
  if (page.approvals) add("Wait for you", number(page.approvals.length));
  if (page.incidents) {
    add("Incidents", number(page.incidents.open.length + page.incidents.left_out));
    add("Events waiting", number(page.incidents.waiting_events));
  }
  if (page.workflows) add("Running now", number(page.workflows.filter((run) => !run.finished_at).length));
  if (page.agents) {
    const agents = page.agents.agents;
    const calls = agents.reduce((sum, agent) => sum + agent.tasks_completed, 0);
    const success = page.agents.targets.find((target) => target.name === "task success");
    add("Calls completed", number(calls), "last 24 h");
    add("Task success", percent(success?.actual ?? null), "last 24 h");
  }
  byId("figures").hidden = !figures.length;
  keyed(byId("figures"), figures, (one) => one.name, (one) =>
    el("div", {}, el("dt", {}, one.name), el("dd", {}, one.value, one.note && el("small", {}, ` ${one.note}`))));
}

export function showIncidents(incidents, currency) {
  const { open, left_out: more, checked_at: checked } = incidents;
  byId("incidents-empty").hidden = open.length > 0;
  byId("incidents-empty").textContent = checked
    ? "Nothing is wrong that the agents know of."
    : "Nothing is known to be wrong. No health check has run yet: ./orchestrator run daily-health-check looks at everything.";
  keyed(byId("checked"), checked ? [checked] : [], (at) => at, (at) => el("span", {}, "checked ", when(at)));
  const shown = more ? [...open, { more }] : open;
  keyed(byId("incident-list"), shown, (one) => one.id || one.title || "more", (one) =>
    one.more ? el("li", { class: "quiet" }, `${number(one.more)} more of less weight.`) : incident(one, currency));
}

function incident(one, currency) {
  const facts = [
    told(one.resource),
    when(one.since),
    one.events > 1 && `${number(one.events)} events`,
    one.impact_per_day && `about ${money(one.impact_per_day, currency)} per day`,
    one.run_id && reportLink(one.run_id, "report"),
  ].filter(Boolean);
  return el(
    "li",
    { class: "incident" },
    icon(SEVERITY[one.severity]),
    el(
      "div",
      {},
      el("p", { class: "title" }, told(one.title), " ", el("span", { class: `tag ${SEVERITY[one.severity]}` }, one.severity)),
      one.standing && el("p", { class: "standing" }, told(one.standing)),
      facing(facts),
    ),
  );
}

export function showAgents({ agents, targets }) {
  keyed(byId("agent-list"), agents, (agent) => agent.agent, agentLine);
  keyed(byId("target-list"), targets, (target) => target.name, targetLine);
}

function agentLine(agent) {
  const slots = `${agent.workload} of ${agent.capacity} slots in use`;
  const facts = agent.success_rate === null
    ? ["no calls in this time"]
    : [
        `${percent(agent.success_rate)} succeeded`,
        `${number(agent.tasks_completed)} calls`,
        agent.response_ms !== null && `${duration(agent.response_ms)} mean`,
        agent.p95_ms !== null && `${duration(agent.p95_ms)} p95`,
      ].filter(Boolean);
  const failing = agent.success_rate !== null && agent.success_rate < 0.5;
  return el(
    "li",
    { class: "agent" },
    el("p", { class: "title" }, told(agent.title), " ", el("span", { class: "tag" }, agent.status)),
    el("p", { class: "slots" }, el("meter", { min: 0, max: Math.max(1, agent.capacity), value: agent.workload, "aria-label": `${agent.title}: ${slots}` }), el("span", {}, slots)),
    facing([failing && el("strong", { class: "bad" }, "fails most calls"), ...facts].filter(Boolean)),
    agent.recent_tasks.length > 0 && el("p", { class: "quiet" }, "lately ", told(agent.recent_tasks.slice(0, 3).map((task) => task.replaceAll("_", " ")).join(", "))),
  );
}

function targetLine(target) {
  const meaning = { true: "good", false: "warning", null: "neutral" }[target.met];
  const words = { true: "met", false: "missed", null: "not measured yet" }[target.met];
  const actual = target.actual === null
    ? ""
    : target.unit === "share" ? percent(target.actual) : `${Number(target.actual.toPrecision(2))} ${target.unit === "sigma" ? "" : target.unit}`.trim();
  return el(
    "li",
    {},
    icon(meaning),
    el("span", { class: "name" }, target.name.replace(/^./, (first) => first.toUpperCase())),
    el("span", { class: "figure" }, actual || "–"),
    el("small", { class: "quiet" }, `${words}, wanted ${target.wanted.replace(" sigma", "")}`),
  );
}

export function showRuns(runs, prefect) {
  byId("runs-empty").hidden = runs.length > 0;
  byId("prefect").hidden = !prefect;
  if (prefect) byId("prefect").href = `${prefect}/runs`;
  keyed(byId("run-list"), runs, (run) => run.id || `${run.workflow} ${run.started_at}`, (run) => runLine(run, prefect));
}

function runLine(run, prefect) {
  const [meaning, words] = OUTCOME[run.finished_at ? run.outcome : "running"];
  const facts = [
    run.finished_at
      ? `took ${duration(new Date(run.finished_at) - new Date(run.started_at))}`
      : "going on",
    when(run.started_at),
    run.trigger && told(run.trigger),
    run.has_report && reportLink(run.id, "report", run.workflow),
    run.flow_run_id && prefect && el("a", { href: `${prefect}/runs/flow-run/${encodeURIComponent(run.flow_run_id)}`, "aria-label": `${run.workflow} in Prefect`, data: { focus: "prefect" } }, "Prefect"),
  ].filter(Boolean);
  return el(
    "li",
    { class: "run" },
    icon(meaning),
    el("div", {},
      el("p", { class: "title" }, told(run.workflow), " ", el("span", { class: `tag ${meaning}` }, words)),
      run.headline && el("p", { class: "standing" }, told(run.headline)),
      facing(facts)),
  );
}

export function showStock(stock) {
  const shown = stock ? [stock] : [];
  keyed(byId("stock-source"), shown, (one) => one.as_of, (one) => el("span", {}, when(one.as_of), one.run_id && [" · ", reportLink(one.run_id, "report", "stock")]));
  keyed(byId("stock-body"), stock ? shown : [{ none: true }], () => "stock", (one) =>
    one.none
      ? el("p", { class: "empty" }, "No report has looked at the stock yet. Try ", el("code", {}, "./orchestrator run daily-health-check"))
      : el("div", {}, el("p", {}, told(one.text)), one.tables.map((table) => reportTable(table, { only: [1, 2, 6, -1] }))));
}

export function showTimeline(moments) {
  byId("moments-empty").hidden = moments.length > 0;
  const keyOf = (moment) => `${moment.what} ${moment.run_id ?? ""} ${moment.title} ${moment.count > 1 ? "" : moment.at}`;
  keyed(byId("moments"), moments, keyOf, (moment) =>
    el(
      "li",
      {},
      icon(moment.mark),
      el("div", {},
        el("p", { class: "title" }, told(moment.title), moment.count > 1 && el("span", { class: "tag" }, `${number(moment.count)} times`)),
        moment.detail && el("p", { class: "standing" }, told(moment.detail)),
        el("p", { class: "facts" }, when(moment.at))),
    ));
}

function reportLink(runId, text, of = "") {
  return el("button", { type: "button", class: "link", "aria-label": of ? `Report of ${of}` : "Report of the run", data: { report: runId, focus: `report-${runId}` } }, text);
}

function facing(facts) {
  return el("p", { class: "facts" }, facts.map((fact) => el("span", {}, fact)));
}
