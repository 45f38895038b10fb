// Questions to a person, answered where they are read.

import { ask } from "./api.js";
import { byId, el, markdown, told } from "./dom.js";
import { when } from "./format.js";

const ANSWER_PATIENCE = 60_000; // milliseconds: what was proposed may be carried out meanwhile
const LOOK = 1500; // milliseconds between two looks at what came of an answer
const MOST_POINTS = 5; // of a list that is shown at once
const WORDS = { approve: "yes", reject: "no" };

const cards = new Map(); // by the question's id
let onUnauthorized = () => {};

export function prepareApprovals(unauthorized) {
  onUnauthorized = unauthorized;
}

/** Show the open questions. One that was answered here stays until the reader puts it away. */
export function showApprovals(questions, readOnly) {
  const open = new Set(questions.map((question) => question.id));
  if (readOnly) {
    byId("questions").replaceChildren(...questions.map((question) => el("article", { class: "question" }, el("h3", {}, told(question.title)), facts(question))));
  } else {
    for (const [id, card] of cards) {
      if (!open.has(id) && card.dataset.state === "open") settledElsewhere(id, card);
    }
    for (const question of questions) {
      if (!cards.has(question.id)) {
        const card = form(question);
        cards.set(question.id, card);
        byId("questions").append(card);
      }
    }
  }
  byId("questions-empty").hidden = byId("questions").children.length > 0;
}

function facts(question) {
  return el(
    "p",
    { class: "facts" },
    question.resource && el("span", {}, told(question.resource)),
    el("span", {}, "asked ", when(question.asked_at)),
    el("span", {}, "counts as ", el("strong", {}, WORDS[question.safe_choice]), " if nobody answers, ", when(question.expires_at)),
  );
}

function form(question) {
  const note = el("textarea", { id: `note-${question.id}`, rows: "1", maxlength: "2000" });
  const buttons = [
    el("button", { type: "submit", class: "button strong", value: "yes" }, "Approve"),
    el("button", { type: "submit", class: "button", value: "no" }, "Reject"),
  ];
  const fault = el("p", { role: "alert", class: "fault" });
  const send = el(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        answer(question, card, event.submitter?.value === "yes", note.value, buttons, fault);
      },
    },
    el("label", { for: note.id }, "Note ", el("span", { class: "quiet" }, "(optional)")),
    note,
    el("p", { class: "buttons" }, buttons),
    fault,
  );
  const card = el(
    "article",
    { class: "question", "aria-labelledby": `question-${question.id}`, data: { state: "open" } },
    el("h3", { id: `question-${question.id}` }, told(question.title)),
    facts(question),
    el("div", { class: "prose" }, detail(question.detail)),
    send,
  );
  return card;
}

/** What a question says; of a long list only how long it is, so that the answer stays in sight. */
function detail(text) {
  return text.split("\n\n").flatMap((block) => {
    const points = block.split("\n").filter((line) => line.startsWith("- ")).length;
    return points > MOST_POINTS
      ? el("details", {}, el("summary", {}, `The list: ${points} lines`), markdown(block))
      : markdown(block);
  });
}

async function answer(question, card, approve, note, buttons, fault) {
  // Not disabled: who uses a keyboard would lose their place.
  if (card.dataset.state !== "open") return;
  card.dataset.state = "sending";
  fault.textContent = "";
  buttons.forEach((button) => button.setAttribute("aria-disabled", "true"));
  try {
    const { value } = await ask(`approvals/${encodeURIComponent(question.id)}/answer`, {
      method: "POST",
      body: { approve, note },
      patience: ANSWER_PATIENCE,
    });
    await follow(question, card, value);
  } catch (problem) {
    card.dataset.state = "open";
    fault.textContent = `It was not answered. ${problem.message} ${problem.hint}`.trim();
    if (problem.status === 401) onUnauthorized(problem);
  } finally {
    buttons.forEach((button) => button.removeAttribute("aria-disabled"));
  }
}

/** Say what came of the answer, as soon as something has. */
async function follow(question, card, answered) {
  card.dataset.state = "answered";
  const result = el("p", { class: "result" });
  const away = el("button", { type: "button", class: "button", onclick: () => putAway(question.id, card) }, "Put away");
  card.querySelector("form").replaceWith(el("div", { class: "outcome", role: "status", tabindex: "-1" }, result), away);
  card.querySelector(".outcome").focus();
  let record = answered.approval;
  const first = answered.counted ? `You ${record.status} it.` : `It was settled before: ${record.status}${record.answered_by ? ` by ${record.answered_by}` : ""}.`;
  for (;;) {
    result.replaceChildren(told(record.outcome ? (answered.counted ? record.outcome : `${first} ${record.outcome}`) : `${first} It is being put into effect …`));
    card.querySelector(".outcome").classList.toggle("failed", /^Failed\b/.test(record.outcome ?? ""));
    if (record.applied_at || !card.isConnected) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    try {
      record = (await ask(`approvals/${encodeURIComponent(question.id)}`)).value;
    } catch (problem) {
      if (problem.status === 401) return; // the page asks for a token, and shows what came of it
    }
  }
}

function settledElsewhere(id, card) {
  card.dataset.state = "elsewhere";
  const away = el("button", { type: "button", class: "button", onclick: () => putAway(id, card) }, "Put away");
  const form = card.querySelector("form");
  const wasIn = form.contains(document.activeElement);
  form.replaceWith(el("p", { class: "outcome", role: "status", tabindex: "-1" }, "It was answered elsewhere, or its time ran out: see what happened."), away);
  if (wasIn) card.querySelector(".outcome").focus();
}

function putAway(id, card) {
  card.remove();
  cards.delete(id);
  byId("questions-empty").hidden = byId("questions").children.length > 0;
  byId("approvals-title").focus();
}
