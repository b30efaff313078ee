import { joinerOf } from "./documents/joiner.ts";
import type { Engine, Extent, Page } from "./engine.ts";
import type { DocumentFormat, PullRequest, RowFormat } from "./event-store.ts";
import { headerOf } from "./formats.ts";
import { patiently } from "./patience.ts";

/** The bytes of a pull as rows. @param after, @param extent as for `pagesOf`. */
export async function* rowBytes(
  engine: Engine,
  request: PullRequest & { readonly format: RowFormat },
  after: number,
  extent: Extent,
): AsyncGenerator<Uint8Array> {
  const header = headerOf(request.kind, request.format);
  if (header !== undefined) yield header;
  const ask = (span: Span): Promise<Page> => engine.page({ ...request, ...span });
  for await (const { bytes } of pagesOf({ ask, sizes: ROW_SIZES }, request, after, extent)) yield bytes;
}

/** The bytes of a pull as one document, joined from those of its pages. */
export async function* documentBytes(
  engine: Pick<Engine, "document">,
  request: PullRequest & { readonly format: DocumentFormat },
  after: number,
  extent: Extent,
): AsyncGenerator<Uint8Array> {
  const joiner = joinerOf(request.format);
  const ask = (span: Span): Promise<Page> => engine.document({ ...request, ...span });
  let isEmpty = true;
  for await (const { bytes } of pagesOf({ ask, sizes: DOCUMENT_SIZES }, request, after, extent)) {
    isEmpty = false;
    yield* joiner.add(bytes);
  }
  // A document has its columns also when it has no rows.
  if (isEmpty) yield* joiner.add((await patiently(() => ask({ after: 0, through: 0, limit: 1 }))).bytes);
  yield* joiner.end();
}

interface Span {
  readonly after: number;
  readonly through: number;
  readonly limit: number;
}

/** How pages are asked for, and how large they may be. */
interface Pager {
  readonly ask: (span: Span) => Promise<Page>;
  readonly sizes: Sizes;
}

interface Sizes {
  readonly rowsFirst: number;
  readonly rowsMax: number;
  readonly bytes: number;
}

/**
 * The pages of a pull, further ones being made while one is sent: two at once, where it is sure beforehand where the second
 * begins. Each page is a question of its own, so that a pull of any length takes constant memory, holds no transaction open and
 * outlives a restart of the engine.
 *
 * @param after arrival number to go on after. @param extent where the rows of the query lay when the pull began.
 */
async function* pagesOf(pager: Pager, request: PullRequest, after: number, extent: Extent): AsyncGenerator<Page> {
  const { first, last: through } = extent;
  if (first === undefined || through === undefined) return;
  const pace = new Pace(pager.sizes, extent.rows / (through - first + 1));
  const asked: Asked[] = [];
  let at = Math.max(after, first - 1);
  let remaining = request.limit ?? Number.POSITIVE_INFINITY;

  const askOn = (): void => {
    while (asked.length < ASKED_MAX && asked.at(-1)?.isSure !== false && at < through && remaining > 0) {
      const span = { after: at, through: Math.min(at + pace.span, through), limit: Math.min(remaining, pace.rows) };
      const page = patiently(() => pager.ask(span));
      // A reader who leaves never awaits it.
      page.catch(() => undefined);
      // There are no more rows than arrival numbers. How many there are matters only to a pull of so many rows.
      asked.push({ page, span, isSure: span.through - at <= span.limit && request.limit === undefined });
      at = span.through;
    }
  };

  askOn();
  for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
    const page = await next.page;
    // A page that is full may have been cut short: the next one begins after its last row.
    if (!next.isSure && page.rows === next.span.limit) at = page.last ?? at;
    remaining -= page.rows;
    pace.found(page);
    askOn();
    if (page.rows > 0) yield page;
  }
}

/** Questions under way at once: a page takes one thread, and the machine has others. */
const ASKED_MAX = 2;

interface Asked {
  readonly page: Promise<Page>;
  readonly span: Span;
  /** Nothing of the span will be left over, whatever the answer: the next question begins after it. */
  readonly isSure: boolean;
}

/** How much to ask for at once: pages of a few megabytes, whatever the width of a row and the share that a filter leaves. */
class Pace {
  rows: number;
  readonly #sizes: Sizes;
  #density: number;

  constructor(sizes: Sizes, density: number) {
    this.rows = sizes.rowsFirst;
    this.#sizes = sizes;
    this.#density = density;
  }

  /** Arrival numbers that hold about so many rows: what lies beyond the limit is looked at, and partly made, for nothing. */
  get span(): number {
    return Math.max(this.rows, Math.ceil(this.rows / this.#density));
  }

  found({ bytes, rows, weight = 0 }: Page): void {
    const heaviest = Math.max(bytes.length, weight);
    if (heaviest > this.#sizes.bytes) this.rows = Math.max(1, Math.floor(this.rows / 2));
    else if (heaviest < this.#sizes.bytes / 2) this.rows = Math.min(this.#sizes.rowsMax, this.rows * 2);
    // Rows of a filter often lie in one stretch: where little was found, look further at once.
    if (rows < this.rows / 8) this.#density /= 2;
  }
}

/** Small first, so that the first bytes leave at once. */
const ROW_SIZES: Sizes = { rowsFirst: 1_024, rowsMax: 16_384, bytes: 8_388_608 };
/** A page is a row group or a record batch: larger ones are smaller on the disk and faster to read. */
const DOCUMENT_SIZES: Sizes = { rowsFirst: 4_096, rowsMax: 65_536, bytes: 8_388_608 };
