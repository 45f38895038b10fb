// Charts as inline SVG, each with its figures as a table.

import { el, svg, told } from "./dom.js";
import { number } from "./format.js";

const HEIGHT = 168;
const WIDEST_BAR = 56;
const CHARACTER = 7; // what one of a label takes of the axis
const MARGIN = { top: 10, right: 6, bottom: 24, left: 46 };

let charts = 0;

/**
 * One chart: stacked bars, or a line with gaps where a value is null.
 *
 * labels: one per value, for the axis, empty where there need not be one; long: the same in full.
 * series: [{ name, style, values }], where a style is a class of app.css.
 */
export function chart({ title, unit = "", kind, labels, long = labels, series }) {
  const plot = el("div", { class: "plot" });
  const figure = el(
    "figure",
    { class: "chart" },
    el("figcaption", {}, el("span", {}, told(unit ? `${title} (${unit})` : title)), legend(series)),
    plot,
    el("details", {}, el("summary", {}, "As a table"), table(long, series, unit)),
  );
  const id = `chart-${++charts}`;
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.round(plot.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    plot.replaceChildren(draw(id, width, { title, unit, kind, labels, long, series }));
  }).observe(plot);
  return figure;
}

function legend(series) {
  if (series.length < 2) return null;
  return el(
    "span",
    { class: "legend" },
    series.map((one) => el("span", {}, el("i", { class: `swatch ${one.style}` }), one.name)),
  );
}

function table(long, series, unit) {
  const head = ["Time", ...series.map((one) => (unit ? `${one.name} (${unit})` : one.name))];
  const told = long.map((label, i) => [label, ...series.map((one) => one.values[i])]);
  const rows = told.filter((row) => row.slice(1).some((value) => value));
  if (!rows.length) return el("p", { class: "quiet" }, "Nothing happened in this time.");
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures of the chart" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
      el(
        "tbody",
        {},
        rows.map(([label, ...values]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, label),
            values.map((v) => el("td", { class: "figure" }, v === null ? "–" : number(v))),
          ),
        ),
      ),
    ),
  );
}

function draw(id, width, { title, unit, kind, labels, long, series }) {
  const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const stacked = kind === "bars";
  const totals = labels.map((_, i) => {
    const values = series.map((one) => one.values[i] ?? 0);
    return stacked ? values.reduce((a, b) => a + b, 0) : Math.max(...values);
  });
  const ticks = scale(Math.max(...totals, 0));
  const top = ticks.at(-1);
  const x = (i) => MARGIN.left + (inner.width * i) / labels.length;
  const y = (value) => MARGIN.top + inner.height * (1 - value / top);
  const step = inner.width / labels.length;
  const parts = [
    svg("defs", {}, stripes(id)),
    ticks.map((value) => gridline(value, y(value), width)),
    timeAxis(labels, x, step, width),
    stacked
      ? bars(id, series, x, y, step, inner.height)
      : series.map((one) => line(one, (i) => x(i) + step / 2, y)),
    labels.map((_, i) => tooltip(long[i], series, i, x(i), step, inner.height, unit)),
  ];
  if (!Math.max(...totals, 0)) {
    parts.push(svg("text", { class: "nothing", x: MARGIN.left + inner.width / 2, y: MARGIN.top + inner.height / 2, "text-anchor": "middle" }, "nothing in this time"));
  }
  const text = summary(title, unit, long, series, totals);
  return svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": text }, parts.flat(2));
}

/** Round values from 0 to the greatest one or above. */
export function scale(greatest) {
  const rough = (greatest || 1) / 3;
  const size = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= rough);
  const step = greatest <= 3 ? 1 : unit;
  const count = Math.max(1, Math.ceil((greatest || 1) / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

function gridline(value, y, width) {
  return svg(
    "g",
    { class: value ? "grid" : "grid zero" },
    svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
    svg("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, number(value)),
  );
}

function timeAxis(labels, x, step, right) {
  const texts = [];
  let free = right; // what is left of the axis, from the right: the newest is what people look for
  for (let i = labels.length - 1; i >= 0; i--) {
    if (!labels[i]) continue;
    const half = (labels[i].length * CHARACTER) / 2 + 6;
    const middle = x(i) + step / 2;
    if (middle + half > free || middle - half < 0) continue;
    free = middle - half;
    texts.push(svg("text", { x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, labels[i]));
  }
  return texts;
}

function bars(id, series, x, y, step, height) {
  const width = Math.max(1, Math.min(WIDEST_BAR, step - Math.min(3, step * 0.2)));
  const bottom = MARGIN.top + height;
  return series[0].values.flatMap((_, i) => {
    let base = 0;
    return series.map((one) => {
      const value = one.values[i] ?? 0;
      const from = y(base);
      base += value;
      if (!value) return "";
      // What happened once among thousands must be seen, too.
      const tall = Math.max(1.5, from - y(base));
      const style = one.style === "failed" ? { fill: `url(#${id})` } : {};
      return svg("rect", {
        class: `mark ${one.style}`, ...style,
        x: x(i) + (step - width) / 2, width, y: Math.min(from, bottom) - tall, height: tall,
      });
    });
  });
}

function line(one, x, y) {
  const runs = [[]];
  one.values.forEach((value, i) => {
    if (value === null) runs.push([]);
    else runs.at(-1).push([x(i), y(value)]);
  });
  return runs.filter((points) => points.length).flatMap((points) => [
    svg("polyline", { class: `stroke ${one.style}`, points: points.map((p) => p.join(",")).join(" ") }),
    ...points.map(([cx, cy]) => svg("circle", { class: `mark ${one.style}`, cx, cy, r: points.length === 1 ? 4 : points.length > 40 ? 1.5 : 2.5 })),
  ]);
}

function tooltip(label, series, i, x, width, height, unit) {
  const said = series.map((one) => {
    const value = one.values[i];
    return value === null ? `${one.name}: none` : `${one.name}: ${number(value)} ${unit}`.trim();
  });
  return svg(
    "rect",
    { class: "hover", x, width, y: MARGIN.top, height },
    svg("title", {}, `${label}\n${said.join("\n")}`),
  );
}

function stripes(id) {
  return svg(
    "pattern",
    { id, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 5, height: 5, class: "stripe-ground" }),
    svg("rect", { width: 2.2, height: 5, class: "stripe" }),
  );
}

function summary(title, unit, long, series, totals) {
  const most = Math.max(...totals, 0);
  if (!most) return `${title}: nothing in this time.`;
  const at = long[totals.indexOf(most)];
  const sums = series.map((one) => {
    const values = one.values.filter((value) => value !== null);
    const sum = values.reduce((a, b) => a + b, 0);
    return unit ? `mean ${number(sum / values.length)} ${unit}` : `${number(sum)} ${one.name}`;
  });
  return `${title}: ${sums.join(", ")}; the most, ${number(most)} ${unit}`.trim() + `, ${at}.`;
}

/** Named values as horizontal bars, the name beside each: for names that no axis has room for. */
export function ranking({ title, unit = "", labels, values }) {
  const most = Math.max(...values.map((value) => Math.abs(value ?? 0)), 0) || 1;
  const row = (label, i) =>
    el(
      "li",
      {},
      told(label),
      svg("svg", { class: "bar-line", "aria-hidden": "true" }, svg("rect", { class: "mark done", height: "100%", width: `${(100 * Math.abs(values[i] ?? 0)) / most}%` })),
      el("span", { class: "figure" }, values[i] === null ? "–" : number(values[i])),
    );
  return el(
    "figure",
    { class: "chart" },
    el("figcaption", {}, el("span", {}, told(unit ? `${title} (${unit})` : title))),
    el("ol", { class: "ranking" }, labels.map(row)),
  );
}
