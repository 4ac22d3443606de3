// Requests to the review server.

const TIMEOUT = 15000; // milliseconds

/** An answer that is not 2xx. status 0: the server did not answer. */
export class ApiError extends Error {
  constructor(status, message, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

async function request(path, options = {}) {
  let response;
  let body;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT), ...options });
    body = await response.json();
  } catch (error) {
    throw new ApiError(response && !response.ok ? response.status : 0, String(error.message));
  }
  if (!response.ok) throw new ApiError(response.status, body.error ?? `status ${response.status}`, body);
  return body;
}

let version = ""; // of the images: the browser keeps them by their URL, and the next server at this port may have others

export async function getSession() {
  const session = await request("/api/session");
  version = session.images.version;
  return session;
}

export const getDecisions = (after) => request(`/api/decisions?after=${after}`);
export const getProgress = () => request("/api/progress");
export const search = (text) => request(`/api/search?q=${encodeURIComponent(text)}`);
export const postDecision = (decision) =>
  request("/api/decisions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(decision),
  });

export const imageUrl = (row, size) => `/image/${row}?size=${size}&version=${version}`;

/** The heat map of a class of an attribute. */
export const heatUrl = (row, attribute, value) => `/heat/${row}?${new URLSearchParams({ attribute, value, version })}`;

const ROWS_AT_ONCE = 200;

/** Path, group, labels and metadata of several images. */
export async function rowsDetails(rows) {
  const parts = [];
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) parts.push(rows.slice(first, first + ROWS_AT_ONCE));
  const answers = await Promise.all(parts.map((part) => request(`/api/images?rows=${part.join(",")}`)));
  return answers.flatMap(({ images }) => images);
}

const KEPT = 1000; // answers of /api/image
const details = new Map();

/** Path, group, labels, metadata and size of an image; kept, as they do not change while the server runs. */
export function imageDetails(row) {
  if (!details.has(row)) {
    const answer = request(`/api/image/${row}`);
    answer.catch(() => details.delete(row)); // the next call asks again
    details.set(row, answer);
    if (details.size > KEPT) details.delete(details.keys().next().value);
  }
  return details.get(row);
}

const fetched = new Map(); // large images that were asked for ahead of time

/** Loads large images before they are shown. */
export function prefetch(rows) {
  for (const row of rows) {
    if (fetched.has(row)) continue;
    const image = new Image();
    image.src = imageUrl(row, "large");
    fetched.set(row, image);
    if (fetched.size > 40) fetched.delete(fetched.keys().next().value);
  }
}
