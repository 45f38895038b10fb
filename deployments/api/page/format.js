// Numbers, money and times as the reader's locale has them.

import { el } from "./dom.js";

const decimal = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

export const small = (value) => (Math.abs(value) >= 10 ? number(value) : fine.format(value));
export const number = (value) => (Math.abs(value) >= 100 ? whole : decimal).format(value);
export const percent = (value) => (value === null ? "–" : share.format(value));
export const timeOfDay = (instant) => clock.format(instant);

/** A text that begins a line; a name, which has signs in it, stays as it is written. */
export const sentence = (text) => (/^\S*[-_:]/.test(text) ? text : text.replace(/^./u, (first) => first.toUpperCase()));

/** A day that is given as 2026-11-25. */
export const day = (iso) => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(iso));

export function money(value, currency) {
  const digits = Math.abs(value) < 100 ? 2 : 0;
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency, ...places }).format(value);
  } catch {
    return `${new Intl.NumberFormat(undefined, places).format(value)} ${currency}`.trim();
  }
}

/** A length of time, given in milliseconds. */
export function duration(ms) {
  if (ms < 1000) return `${whole.format(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${decimal.format(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 60) return `${whole.format(minutes)} min`;
  const hours = minutes / 60;
  return hours < 48 ? `${decimal.format(hours)} h` : `${decimal.format(hours / 24)} days`;
}

const HALF_A_MINUTE = 30_000;
const STEPS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];

function ago(instant, now) {
  const passed = instant - now;
  const length = Math.abs(passed) + HALF_A_MINUTE; // four hours are four hours a moment later, too
  for (const [unit, size] of STEPS) {
    if (length >= size) return relative.format(Math.sign(passed) * Math.floor(length / size), unit);
  }
  return passed <= 0 ? "just now" : "in a moment";
}

/** An instant as people say it; the exact one is in its title. */
export function when(iso) {
  const instant = new Date(iso);
  return el(
    "time",
    { datetime: iso, title: exact.format(instant), data: { relative: "" } },
    ago(instant, Date.now()),
  );
}

/** Bring every relative time on the page up to date. */
export function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("time[data-relative]")) {
    const text = ago(new Date(node.dateTime), now);
    if (node.textContent !== text) node.textContent = text;
  }
}
