// What went on over the last day or week, as charts.

import { chart } from "./charts.js";
import { byId } from "./dom.js";

const HOUR = 3_600_000;
const WEEK_STEP = 6; // hours that one bar of the week stands for

let drawn = "";

export function showActivity(activity) {
  const span = document.querySelector("input[name=span]:checked").value;
  const key = JSON.stringify([span, activity]);
  if (key === drawn) return;
  drawn = key;
  const open = [...byId("charts").querySelectorAll("details")].map((node) => node.open);
  byId("charts").replaceChildren(...draw(activity, span));
  byId("charts").querySelectorAll("details").forEach((node, i) => (node.open = open[i] ?? false));
}

function draw(activity, span) {
  const day = span === "day";
  const last = activity.completed.length;
  const step = day ? 1 : WEEK_STEP;
  const begin = day ? last - 24 : last % WEEK_STEP;
  const places = [];
  for (let i = begin; i < last; i += step) places.push(i);
  const starts = places.map((i) => new Date(new Date(activity.start).getTime() + i * HOUR));
  const sums = (values) => places.map((i) => sum(values.slice(i, i + step)));
  const time = new Intl.DateTimeFormat(undefined, day ? { hour: "2-digit", minute: "2-digit" } : { weekday: "short", day: "numeric" });
  const full = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
  // Of the week, the first bar of each day has its name.
  const begins = (i) => day || !i || starts[i].getDate() !== starts[i - 1].getDate();
  const labels = starts.map((start, i) => (begins(i) ? time.format(start) : ""));
  const long = starts.map((s) => `${full.format(s)} to ${full.format(new Date(s.getTime() + step * HOUR))}`);
  const per = day ? "per hour" : `per ${WEEK_STEP} hours`;
  const times = places.map((i) => mean(activity, i, step));
  return [
    chart({
      title: `Agent calls ${per}`, kind: "bars", labels, long,
      series: [
        { name: "completed", style: "done", values: sums(activity.completed) },
        { name: "failed", style: "failed", values: sums(activity.failed) },
      ],
    }),
    chart({
      title: "Mean response time", unit: "ms", kind: "line", labels, long,
      series: [{ name: "response", style: "pace", values: times }],
    }),
    chart({
      title: `Events received ${per}`, kind: "bars", labels, long,
      series: [{ name: "events", style: "arrived", values: sums(activity.events) }],
    }),
  ];
}

const sum = (values) => values.reduce((a, b) => a + b, 0);

/** Mean response of several hours: each counts as much as it has completed calls. */
function mean(activity, from, step) {
  let calls = 0;
  let total = 0;
  for (let i = from; i < from + step; i++) {
    if (activity.response_ms[i] === null || activity.response_ms[i] === undefined) continue;
    calls += activity.completed[i];
    total += activity.completed[i] * activity.response_ms[i];
  }
  return calls ? total / calls : null;
}
