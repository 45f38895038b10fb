// Elements made of data. Every text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

// Control characters, and those that turn the direction of the text around them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export const byId = (id) => document.getElementById(id);

/** A text of any origin, harmless to show. */
export const plain = (text) => String(text ?? "").replace(UNSEEN, "\ufffd");

/** An element; `on…` are listeners, `data` the dataset, all else attributes. */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : plain(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false && child !== "") {
      node.append(child instanceof Node ? child : plain(child));
    }
  }
  return node;
}

/** A name or sentence from data, whose direction does not leak into what stands beside it. */
export const told = (text) => el("bdi", {}, text);

/**
 * Have an element's children show these items. A child whose item is as it was stays as it is,
 * with its focus and whatever was typed into it.
 */
export function keyed(parent, items, keyOf, make) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const used = new Map();
  items.forEach((item, place) => {
    const base = keyOf(item);
    const times = used.get(base) ?? 0;
    used.set(base, times + 1);
    const key = times ? `${base} ${times}` : base;
    const shown = JSON.stringify(item);
    let node = known.get(key);
    known.delete(key);
    if (node?.shown !== shown) {
      const old = node;
      node = make(item);
      node.dataset.key = key;
      node.shown = shown;
      if (old) replace(old, node);
    }
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
  for (const gone of known.values()) gone.remove();
}

function replace(old, node) {
  const focus = old.contains(document.activeElement) && document.activeElement.dataset.focus;
  old.replaceWith(node);
  if (focus) node.querySelector(`[data-focus="${focus}"]`)?.focus();
}

/** Markdown as far as questions use it: paragraphs, lists, bold, code. */
export function markdown(text) {
  const blocks = plain(text).split(/\n{2,}/).filter((block) => block.trim());
  return blocks.map((block) => {
    const lines = block.split("\n");
    if (lines.every((line) => /^\s*[-*] /.test(line))) {
      return el("ul", {}, lines.map((line) => el("li", {}, inline(line.replace(/^\s*[-*] /, "")))));
    }
    return el("p", {}, inline(block));
  });
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*.+?\*\*)/).map((part, i) => {
    if (i % 2 === 0) return part;
    return part.startsWith("`") ? el("code", {}, part.slice(1, -1)) : el("strong", {}, part.slice(2, -2));
  });
}
