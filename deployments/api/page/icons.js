// A shape for each meaning, so that colour is never all that tells it.

import { svg } from "./dom.js";

const SHAPES = {
  good: ["M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20z", "M7.500 12.500l3 3l6-6.500"],
  warning: ["M12 2.500L22.500 21h-21z", "M12 9v5.500M12 17.600v.300"],
  bad: ["M8 2h8l6 6v8l-6 6H8l-6-6V8z", "M8.500 8.500l7 7M15.500 8.500l-7 7"],
  neutral: ["M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20z", "M8 12h8"],
  running: ["M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20z", "M12 6.500v5.500l3.500 2"],
  info: ["M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20z", "M12 11v5.500M12 7.400v.300"],
};

/** The icon of a meaning; what it means must stand beside it in words. */
export function icon(meaning) {
  const [shape, sign] = SHAPES[meaning];
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: `icon ${meaning}`, "aria-hidden": "true" },
    svg("path", { d: shape, class: "shape" }),
    svg("path", { d: sign, class: "sign" }),
  );
}
