/* The doors of one server for one key. The key travels in a header, or in a body; never in an address. */

/** An error, and what the server said with it. */
export interface Trouble extends Error {
  readonly status?: number;
  /** `undefined` where the server did not say. */
  readonly retryAfterMs?: number | undefined;
}

/** Asks a door by its path below `/sdk/v1/`; resolves with an answer of 2xx, rejects with the trouble otherwise. */
export type Ask = (path: string, request: RequestInit) => Promise<Response>;

export function doorsOf(url: string): Ask {
  return async (path, request) => {
    const response = await fetch(`${url.replace(/\/+$/, "")}/sdk/v1/${path}`, { cache: "no-cache", ...request });
    const { ok, status, headers } = response;
    if (ok) return response;
    const asked = headers.get("retry-after");
    const waitMs = Number(asked) * 1_000 || Date.parse(asked as string) - Date.now();
    throw Object.assign(new Error(`the server answered ${status}`), { status, retryAfterMs: waitMs > 0 ? waitMs : undefined });
  };
}
