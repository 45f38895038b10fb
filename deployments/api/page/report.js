// The report of a run, in a window over the page.

import { ask } from "./api.js";
import { chart, ranking } from "./charts.js";
import { byId, el, told } from "./dom.js";
import { day, money, number, sentence, when } from "./format.js";
import { icon } from "./icons.js";

const SEVERITY = { critical: "bad", error: "bad", warning: "warning", info: "info" };
const MOST_FINDINGS = 20;
const LONGEST_TICK = 9; // characters that fit under an axis
const STYLES = ["done", "failed", "pace", "arrived"];

/** Show what an address of the API tells in the form of a report; `beside` makes what stands above it. */
export async function openReport(path, beside = async () => []) {
  const dialog = byId("report");
  byId("report-title").textContent = "Report";
  byId("report-body").replaceChildren(el("p", { class: "quiet" }, "Loading …"));
  if (!dialog.open) dialog.showModal();
  try {
    const { value } = await ask(path);
    byId("report-title").replaceChildren(told(value.title));
    byId("report-body").replaceChildren(...(await beside()), ...render(value));
  } catch (problem) {
    byId("report-body").replaceChildren(el("p", { role: "alert" }, `${problem.message} ${problem.hint}`));
  }
  byId("report-body").focus({ preventScroll: true });
  dialog.scrollTop = 0;
}

export function prepareReports() {
  byId("report-close").addEventListener("click", () => byId("report").close());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-report]");
    if (button) openReport(`orchestrate/reports/${encodeURIComponent(button.dataset.report)}`);
  });
}

function render(report) {
  return [
    el("p", { class: "lead" }, told(report.headline)),
    el("p", { class: "facts" }, el("span", {}, told(report.workflow)), el("span", {}, when(report.finished_at))),
    report.findings.length > 0 && el("section", {}, el("h3", {}, "What needs attention"), findings(report)),
    ...report.sections.map(section),
    report.missing.length > 0 && el("section", {}, el("h3", {}, "What is missing or set aside"), el("ul", {}, report.missing.map((line) => el("li", {}, told(line))))),
  ].filter(Boolean);
}

function findings(report) {
  const shown = report.findings.slice(0, MOST_FINDINGS);
  const more = report.findings.length - shown.length;
  return el("ul", { class: "list" }, shown.map((one) => el(
    "li",
    { class: "incident" },
    icon(SEVERITY[one.severity]),
    el("div", {},
      el("p", { class: "title" }, told(sentence(one.title)), " ", el("span", { class: `tag ${SEVERITY[one.severity]}` }, one.severity)),
      el("p", { class: "standing" }, told(done(report, one) || one.advice)),
      one.impact_per_day !== null && el("p", { class: "facts" }, `about ${money(one.impact_per_day, report.currency)} per day`)),
  )), more > 0 && el("li", { class: "quiet" }, `${number(more)} more.`));
}

function done(report, finding) {
  const tried = report.remediations.find((line) => line.finding === `${finding.kind}/${finding.resource}`);
  return tried && `${tried.action}: ${tried.status ?? "not tried"}. ${tried.detail}`;
}

function section(part) {
  return el(
    "section",
    {},
    el("h3", {}, told(part.title)),
    part.text && el("p", {}, told(part.text)),
    part.tables.map((table) => (part.title === "Timeline" ? moments(table) : reportTable(table))),
    part.charts.map(chartOf),
  );
}

/** What happened when, and who did it, as a list: a table of instants is hard to read. */
function moments(table) {
  return el("div", {},
    el("ol", { class: "moments story" }, table.rows.map(([at, what, by]) => el("li", {},
      el("p", { class: "facts at" }, told(at)),
      el("div", {}, el("p", {}, told(what)), el("p", { class: "facts" }, told(by)))))),
    table.note && el("p", { class: "quiet" }, told(table.note)));
}

function chartOf(one) {
  const all = Object.entries(one.series);
  const isDates = one.x.every((label) => /^\d{4}-\d{2}-\d{2}$/.test(label));
  if (one.kind === "bar" && all.length === 1 && one.x.some((label) => label.length > LONGEST_TICK)) {
    return ranking({ title: one.title, unit: one.unit, labels: one.x, values: all[0][1] });
  }
  return chart({
    title: one.title,
    unit: one.unit,
    kind: one.kind === "bar" ? "bars" : "line",
    labels: isDates ? one.x.map(day) : one.x,
    long: one.x,
    series: all.map(([name, values], i) => ({ name, values, style: STYLES[i % STYLES.length] })),
  });
}

/** A table of a report; `only` names the columns to show, negative ones from the end. */
export function reportTable(table, { only } = {}) {
  const places = (only ?? table.columns.map((_, i) => i))
    .map((i) => (i < 0 ? table.columns.length + i : i))
    .filter((i) => i >= 0 && i < table.columns.length);
  const isFigure = (i) => table.rows.every((row) => row[i] === null || typeof row[i] === "number");
  const figures = new Set(places.filter(isFigure));
  const cell = (value) => (value === null ? "–" : typeof value === "number" ? number(value) : told(value));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title || table.columns.slice(0, 2).join(", ") },
    el(
      "table",
      {},
      table.title && el("caption", {}, told(table.title)),
      el("thead", {}, el("tr", {}, places.map((i) => el("th", { scope: "col", class: figures.has(i) ? "figure" : null }, told(table.columns[i]))))),
      el("tbody", {}, table.rows.map((row) => el("tr", {}, places.map((i) => el("td", { class: figures.has(i) ? "figure" : null }, cell(row[i])))))),
    ),
    table.note && el("p", { class: "quiet" }, told(table.note)),
  );
}
