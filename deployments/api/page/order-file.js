// The draft orders as a CSV file, asked for with the reader's token and saved by the browser.

import { askFile } from "./api.js";
import { byId, el } from "./dom.js";

const NAME = "draft-orders.csv";

export function prepareOrderFile() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-order-file]")) save();
  });
}

async function save() {
  try {
    const address = URL.createObjectURL(await askFile("orders/drafts?format=csv"));
    el("a", { href: address, download: NAME }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    byId("said").textContent = `The drafts were saved as ${NAME}.`;
  } catch (problem) {
    byId("said").textContent = `The drafts were not saved. ${problem.message} ${problem.hint}`.trim();
  }
}
