// The API, asked with the reader's token where there is one.

const KEY = "orchestrator-token";
const PATIENCE = 10_000; // milliseconds

/** An answer that is no success; `status` is 0 when there was none. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The API answers ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.hint = body.hint ?? "";
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

/** Ask for JSON; gives null when it is as `etag` says, and raises a Problem otherwise. */
export async function ask(path, { method = "GET", body, etag, headers = {}, patience = PATIENCE } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (token.get()) sent.Authorization = `Bearer ${token.get()}`;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (etag) sent["If-None-Match"] = etag;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(patience),
    });
    if (response.status === 304) return null;
    const value = await response.json();
    if (response.ok) return { value, etag: response.headers.get("ETag") };
    throw new Problem(response.status, value);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(response && !response.ok ? response.status : 0, {
      detail: response ? `The API answers ${response.status}, and not in JSON.` : "The API does not answer.",
    });
  }
}

/** Ask for a file; raises a Problem when there is none. */
export async function askFile(path) {
  const headers = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  let response;
  try {
    response = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Problem(0, { detail: "The API does not answer." });
  }
  if (response.ok) return response.blob();
  throw new Problem(response.status, await response.json().catch(() => ({})));
}

/** A key under which a request is carried out once, however often it is sent. */
export function newKey() {
  // crypto.randomUUID exists on secure origins alone.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
