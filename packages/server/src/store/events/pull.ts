import type { Engine, Extent, Page } from "./engine.ts";
import type { PullRequest } from "./event-store.ts";
import { patiently } from "./patience.ts";

/**
 * The pages of a pull, the next one being made while the last one is sent. Each page is a question of its own, so that a
 * pull of any length takes constant memory, holds no transaction open and outlives a restart of the engine.
 *
 * @param after arrival number to go on after. @param extent where the rows of the query lay when the pull began.
 */
export async function* pagesOf(engine: Engine, request: PullRequest, after: number, extent: Extent): AsyncGenerator<Uint8Array> {
  const { first, last: through } = extent;
  if (first === undefined || through === undefined) return;
  const pace = new Pace(extent.rows / (through - first + 1));
  let at = Math.max(after, first - 1);
  let remaining = request.limit ?? Number.POSITIVE_INFINITY;

  const ask = (): Promise<Asked> | undefined => {
    if (at >= through || remaining <= 0) return undefined;
    const limit = Math.min(remaining, pace.rows);
    const to = Math.min(at + pace.span, through);
    const asked = patiently(() => engine.page({ ...request, after: at, through: to, limit })).then((page) => ({
      page,
      limit,
      to,
    }));
    // A reader who leaves never awaits it.
    asked.catch(() => undefined);
    return asked;
  };

  for (let next = ask(); next !== undefined; ) {
    const { page, limit, to } = await next;
    // A page that is full may have been cut short: the next one begins after its last row.
    at = page.rows === limit ? (page.last ?? to) : to;
    remaining -= page.rows;
    pace.found(page);
    next = ask();
    if (page.rows > 0) yield page.bytes;
  }
}

interface Asked {
  readonly page: Page;
  readonly limit: number;
  readonly to: number;
}

/** How much to ask for at once: pages of a few megabytes, whatever the width of a row and the share that a filter leaves. */
class Pace {
  rows = ROWS_FIRST;
  #density: number;

  constructor(density: number) {
    this.#density = density;
  }

  /** Arrival numbers that hold about so many rows; twice that, since they do not lie evenly. */
  get span(): number {
    return Math.max(this.rows, Math.ceil((2 * this.rows) / this.#density));
  }

  found({ bytes, rows }: Page): void {
    if (bytes.length > PAGE_BYTES) this.rows = Math.max(1, Math.floor(this.rows / 2));
    else if (bytes.length < PAGE_BYTES / 2) this.rows = Math.min(ROWS_MAX, this.rows * 2);
    // Rows of a filter often lie in one stretch: where little was found, look further at once.
    if (rows < this.rows / 8) this.#density /= 2;
  }
}

/** Small, so that the first bytes leave at once. */
const ROWS_FIRST = 1_024;
const ROWS_MAX = 8_192;
const PAGE_BYTES = 2_097_152;
