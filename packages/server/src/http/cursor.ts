import type { Page } from "@belay/protocol";
import { ProblemError } from "./problem.ts";

export const PAGE_LIMIT_DEFAULT = 50;
export const PAGE_LIMIT_MAX = 500;

/** A place in a list as opaque text. `list` says which one, so that a cursor of another list is refused. */
export function encodeCursor(list: string, place: string): string {
  return Buffer.from(JSON.stringify([list, place])).toString("base64url");
}

/** @throws ProblemError when the cursor was not made for this list. */
function decodeCursor(list: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  try {
    const [of, place] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as [unknown, unknown];
    if (of === list && typeof place === "string") return place;
  } catch {
    // Told below, like every other text that is no cursor.
  }
  throw new ProblemError("invalid_cursor");
}

/** The same where places are whole numbers. */
export function decodeNumberedCursor(list: string, cursor: string | undefined): number | undefined {
  const place = decodeCursor(list, cursor);
  if (place === undefined) return undefined;
  if (!/^\d{1,15}$/.test(place)) throw new ProblemError("invalid_cursor");
  return Number(place);
}

/** A page of things in the order of their keys: items after the cursor's key, and a cursor while there are more. */
export function pageByKey<T extends { readonly key: string }>(
  list: string,
  items: readonly T[],
  { limit = PAGE_LIMIT_DEFAULT, cursor }: { readonly limit?: number; readonly cursor?: string },
): Page<T> {
  const after = decodeCursor(list, cursor);
  const sorted = [...items].sort((a, b) => (a.key < b.key ? -1 : 1));
  const from = after === undefined ? 0 : sorted.findIndex(({ key }) => key > after);
  const page = from === -1 ? [] : sorted.slice(from, from + limit);
  const hasMore = from !== -1 && from + limit < sorted.length;
  return { items: page, ...(hasMore ? { next: encodeCursor(list, page.at(-1)?.key ?? "") } : {}) };
}
