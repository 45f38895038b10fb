// The parts of the page, each from its part of the data.

import { byId, el, keyed, told } from "./dom.js";
import { day, duration, money, number, percent, sentence, small, when } from "./format.js";
import { icon } from "./icons.js";
import { reportTable } from "./report.js";

const HEALTH = { healthy: "good", degraded: "warning", unhealthy: "bad" };
const SEVERITY = { critical: "bad", error: "bad", warning: "warning", info: "info" };
const OUTCOME = {
  succeeded: ["good", "succeeded"],
  partial: ["warning", "partly"],
  failed: ["bad", "failed"],
  refused: ["info", "refused"],
  running: ["running", "running"],
};

const MOST_REASONS = 5;

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
  const more = health.reasons.length - MOST_REASONS;
  const shown = more > 1 ? [...health.reasons.slice(0, MOST_REASONS), { more }] : health.reasons;
  keyed(byId("reasons"), shown, (reason) => reason.text ?? "more", (reason) =>
    el("li", {}, reason.more ? `and ${number(reason.more)} more, below` : parts.includes(reason.part) && reason.part !== "health"
      ? el("a", { href: `#${reason.part}`, data: { focus: "reason" } }, told(sentence(reason.text)))
      : told(sentence(reason.text))));
  const mark = { good: "✓", warning: "▲", bad: "✕" }[meaning];
  document.title = `${mark} ${health.headline} · System Orchestrator`;
}

export function showFigures(page) {
  const figures = [];
  const add = (name, value, note = "") => figures.push({ name, value, note });
  // What should be 0 stands out when it is not.
  const watch = (name, value) => figures.push({ name, value: number(value), note: "", weigh: value > 0 });
  if (page.approvals) watch("Waiting for you", page.approvals.length);
  if (page.incidents) {
    watch("Incidents", page.incidents.open.length + page.incidents.left_out);
    watch("Events waiting", page.incidents.waiting_events);
  }
  if (page.workflows) add("Running now", number(page.workflows.reduce((sum, line) => sum + line.going_on, 0)));
  if (page.agents) {
    const agents = page.agents.agents;
    const calls = agents.reduce((sum, agent) => sum + agent.tasks_completed, 0);
    const success = page.agents.targets.find((target) => target.name === "task success");
    add("Calls completed", number(calls), "last 24 h");
    add("Task success", percent(success?.actual ?? null), "last 24 h");
  }
  byId("figures").hidden = figures.length < 2; // one alone says less than its part does
  keyed(byId("figures"), figures, (one) => one.name, (one) =>
    el("div", {}, el("dt", {}, one.name), el("dd", { class: one.weigh && "weighty" }, one.value, one.note && el("small", {}, ` ${one.note}`))));
}

export function showIncidents(incidents, currency) {
  const { open, left_out: more, checked_at: checked } = incidents;
  byId("incidents-empty").hidden = open.length > 0;
  byId("incidents-empty").replaceChildren(
    checked ? "Nothing is wrong that the agents know of." : "Nothing is known to be wrong, but no health check has run yet. Try ",
    checked ? "" : el("code", {}, "./orchestrator run daily-health-check"),
  );
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
    one.impact_per_hour && `about ${money(one.impact_per_hour, currency)} per hour`,
    one.impact_per_day && `about ${money(one.impact_per_day, currency)} per day`,
    one.run_id && reportLink(one.run_id, "Report"),
    // Its sender names it: the server gives on plain addresses of pages only.
    one.runbook && el("a", { href: one.runbook, rel: "noopener noreferrer", target: "_blank" }, "Runbook"),
  ].filter(Boolean);
  return el(
    "li",
    { class: "incident" },
    icon(SEVERITY[one.severity]),
    el(
      "div",
      {},
      el("p", { class: "title" }, titleOf(one), " ", el("span", { class: `tag ${SEVERITY[one.severity]}` }, one.severity), tags(one)),
      one.standing && el("p", { class: "standing" }, told(one.standing)),
      facing(facts),
    ),
  );
}

/** What has a life of its own opens with a click. */
function titleOf(one) {
  const title = told(sentence(one.title));
  return one.incident_id ? el("button", { type: "button", class: "link", data: { incident: one.incident_id, focus: "incident" } }, title) : title;
}

function tags(one) {
  const found = [one.silenced && "silenced", one.flapping && "flapping", one.seen_to_by ? ["seen to by ", told(one.seen_to_by)] : one.state === "acknowledged" && "seen to"];
  return found.filter(Boolean).map((text) => [" ", el("span", { class: "tag" }, text)]).flat();
}

export function showObjectives(objectives) {
  byId("objectives-empty").hidden = objectives.length > 0;
  keyed(byId("objective-list"), objectives, (one) => one.name, objectiveLine);
}

function objectiveLine(one) {
  const measured = one.budget_left !== null;
  const left = measured ? Math.max(0, one.budget_left) : 0;
  const burns = one.burns && el("span", { class: `tag ${one.burns === "page" ? "bad" : "warning"}` }, "burns");
  const known = one.known_days < one.days && `of ${one.days} days ${number(Math.round(one.known_days * 10) / 10)} are known`;
  const facts = [
    `${share(one.objective)} of ${one.days} days wanted`,
    measured && `${share(one.good_share)} kept`,
    measured && known,
    one.empty_at && el("span", {}, "at this pace empty ", when(one.empty_at)),
  ].filter(Boolean);
  const said = measured ? `${percent(one.budget_left)} of the error budget left` : "not measured yet";
  return el(
    "li",
    { class: "agent" },
    el("p", { class: "title" }, told(one.name), burns && " ", burns),
    el("p", { class: "slots" }, el("meter", { min: 0, max: 1, low: 0.25, high: 0.5, optimum: 1, value: left, "aria-label": `${one.name}: ${said}` }), el("span", {}, said)),
    facing(facts),
  );
}

/** A share with as many digits as promises have: 99.95%. */
function share(value) {
  return `${Number((value * 100).toFixed(3))}%`;
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
    : target.unit === "share" ? percent(target.actual) : `${small(target.actual)} ${target.unit === "sigma" ? "" : target.unit}`.trim();
  return el(
    "li",
    {},
    icon(meaning),
    el("span", { class: "name" }, target.name.replace(/^./, (first) => first.toUpperCase())),
    el("span", { class: "figure" }, actual || "–"),
    el("small", { class: "quiet" }, `${words}, wanted ${target.wanted.replace(" sigma", "")}`),
  );
}

export function showWorkflows(lines, prefect) {
  byId("runs-empty").hidden = lines.length > 0;
  byId("prefect").hidden = !prefect;
  if (prefect) byId("prefect").href = `${prefect}/runs`;
  keyed(byId("run-list"), lines, (line) => line.workflow, (line) => workflowLine(line, prefect));
}

function workflowLine(line, prefect) {
  const running = line.going_on > 0;
  const [meaning, words] = OUTCOME[running ? "running" : line.outcome];
  const page = line.flow_run_id && prefect && `${prefect}/runs/flow-run/${encodeURIComponent(line.flow_run_id)}`;
  const facts = [
    line.finished_at && `took ${duration(new Date(line.finished_at) - new Date(line.started_at))}`,
    el("span", {}, line.finished_at ? "" : "since ", when(line.started_at)),
    line.trigger && told(line.trigger),
    line.has_report && reportLink(line.id, "Report", line.workflow),
    page && el("a", { href: page, "aria-label": `${line.workflow} in Prefect`, data: { focus: "prefect" } }, "Prefect"),
  ].filter(Boolean);
  return el(
    "li",
    { class: "run" },
    icon(meaning),
    el("div", {},
      el("p", { class: "title" }, told(line.workflow), " ",
        el("span", { class: `tag ${meaning}` }, running && line.going_on > 1 ? `${line.going_on} running` : words),
        line.recent.length > 1 && strip(line.recent)),
      line.headline && el("p", { class: "standing" }, told(line.headline)),
      facing(facts)),
  );
}

/** How the last runs ended, one small sign each, the newest on the right. */
function strip(outcomes) {
  const counts = Object.entries(OUTCOME)
    .map(([outcome, [, words]]) => [outcomes.filter((one) => one === outcome).length, words])
    .filter(([times]) => times)
    .map(([times, words]) => `${times} ${words}`);
  const said = `Last ${outcomes.length} runs: ${counts.join(", ")}`;
  return el("span", { class: "strip", role: "img", "aria-label": said, title: said }, outcomes.map((one) => icon(OUTCOME[one][0])));
}

export function showStock(stock) {
  const shown = stock ? [stock] : [];
  keyed(byId("stock-source"), shown, (one) => one.as_of, (one) => el("span", {}, when(one.as_of), one.run_id && [" · ", reportLink(one.run_id, "Report", "the stock")]));
  keyed(byId("stock-body"), stock ? shown : [{ none: true }], () => "stock", (one) =>
    one.none
      ? el("p", { class: "empty" }, "No report has looked at the stock yet. Try ", el("code", {}, "./orchestrator run daily-health-check"))
      : el("div", {}, el("p", {}, told(one.text)), one.tables.map((table) => reportTable(table, { only: [1, 2, 6, -1] }))));
}

export function showOrders(orders, currency) {
  const shown = orders ? [orders] : [];
  keyed(byId("orders-source"), shown, (one) => one.as_of, (one) => el("span", {}, when(one.as_of),
    one.run_id && [" · ", reportLink(one.run_id, "Report", "the draft orders"), " · ", el("button", { type: "button", class: "link", data: { orderFile: "", focus: "order-file" } }, "CSV")]));
  keyed(byId("orders-body"), orders ? shown : [{ none: true }], () => "orders", (one) =>
    one.none
      ? el("p", { class: "empty" }, "No orders have been drafted yet. Try ", el("code", {}, "./orchestrator run critical-inventory"))
      : el("div", {},
          one.text && el("p", {}, told(one.text)),
          facing([
            one.held > 0 && `${number(one.held)} held for a person`,
            one.waiting_cost_per_day && `each day of waiting costs about ${money(one.waiting_cost_per_day, currency)}`,
          ].filter(Boolean)),
          one.orders.length > 0 && el("ul", { class: "list" }, one.orders.map(draft))));
}

function draft(order) {
  const lines = `${number(order.lines)} ${order.lines === 1 ? "line" : "lines"}`;
  return el("li", { class: "draft" },
    el("p", { class: "title" }, told(order.supplier), order.total && [" ", el("span", { class: "tag" }, `${order.total} ${order.currency}`)]),
    facing([lines, `arrives about ${day(order.arrives_on)}`, order.first && el("span", {}, "first ", told(order.first))].filter(Boolean)));
}

export function showOpenOrders(open) {
  keyed(byId("open-orders-body"), [open], () => "open-orders", (one) =>
    one.orders.length === 0
      ? el("p", { class: "empty" }, "No order is under way.")
      : el("div", {},
          facing([
            `${number(one.orders.length + one.left_out)} under way`,
            one.worth.length > 0 && `worth ${one.worth.join(" and ")}`,
            one.left_out > 0 && `${number(one.left_out)} are not shown`,
          ].filter(Boolean)),
          el("ul", { class: "list" }, one.orders.map(openOrder))));
}

function openOrder(order) {
  const items = `${number(order.items)} ${order.items === 1 ? "item" : "items"}`;
  return el("li", { class: "draft" },
    el("p", { class: "title" }, told(order.supplier), " ", el("span", { class: "tag" }, order.stage), order.total && [" ", el("span", { class: "tag" }, `${order.total} ${order.currency}`)]),
    facing([order.reference, items, `${number(order.units)} units to come, due ${day(order.due_on)}`, order.first && el("span", {}, told(order.first))].filter(Boolean)));
}

const FIRST_MOMENTS = 12;

export function showTimeline(moments) {
  const more = byId("moments-more");
  more.onclick = () => {
    more.dataset.all = more.dataset.all ? "" : "yes";
    showTimeline(moments);
  };
  more.hidden = moments.length <= FIRST_MOMENTS;
  more.textContent = more.dataset.all ? "Show less" : `Show all ${number(moments.length)}`;
  more.setAttribute("aria-expanded", Boolean(more.dataset.all));
  byId("moments-empty").hidden = moments.length > 0;
  const shown = more.dataset.all ? moments : moments.slice(0, FIRST_MOMENTS);
  const keyOf = (moment) => `${moment.what} ${moment.title} ${moment.count > 1 ? "" : moment.at}`;
  keyed(byId("moments"), shown, keyOf, (moment) =>
    el(
      "li",
      {},
      icon(moment.mark),
      el("div", {},
        el("p", { class: "title" }, told(sentence(moment.title)), moment.count > 1 && el("span", { class: "tag" }, `${number(moment.count)} times`)),
        moment.detail && el("p", { class: "standing" }, told(moment.detail))),
      el("p", { class: "facts" }, when(moment.at)),
    ));
}

function reportLink(runId, text, of = "") {
  return el("button", { type: "button", class: "link", "aria-label": of ? `Report of ${of}` : "Report of the run", data: { report: runId, focus: `report-${runId}` } }, text);
}

function facing(facts) {
  return el("p", { class: "facts" }, facts.map((fact) => el("span", {}, fact)));
}
