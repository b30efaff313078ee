import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { LoadableSegment } from "../engine.ts";
import { syncDirectory } from "../spool/segment-file.ts";

/** One attempt to load some segments. */
export interface Attempt {
  readonly spool: string;
  /** Rises with every attempt of this spool, over all restarts. */
  readonly number: number;
  readonly segments: readonly LoadableSegment[];
  /** What the spool's arrival numbers are raised by. */
  readonly base: number;
  /** An attempt before this one was not seen to end: some of its rows may be there, or still on their way. */
  readonly isAgain: boolean;
}

/**
 * What was loaded and what is being loaded, on this machine's disk. It is here and not in ClickHouse so that it never lags
 * behind: a replica that takes over may not have heard of the last load yet.
 */
export class LoadBook {
  readonly #directory: string;
  readonly #pages: Map<string, Page>;

  private constructor(directory: string, pages: Map<string, Page>) {
    this.#directory = directory;
    this.#pages = pages;
  }

  static async open(directory: string): Promise<LoadBook> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const text = await readFile(join(directory, NAME), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return "{}";
    });
    return new LoadBook(directory, new Map(Object.entries(JSON.parse(text) as Record<string, Page>)));
  }

  /**
   * Notes that segments of one spool are about to be loaded. Those that were pending are taken together as they were, so
   * that the rows sent again are the same block, which replicas know by its checksum.
   *
   * @param baseOf asked once per spool: a number at and below which there are arrivals of others.
   * @returns nothing when all of them were loaded before.
   */
  async begin(segments: readonly LoadableSegment[], baseOf: () => Promise<number>): Promise<Attempt | undefined> {
    const spool = segments[0]?.spool;
    if (spool === undefined) return undefined;
    const known = this.#pages.get(spool);
    const fresh = segments.filter(({ number }) => number > (known?.loadedThrough ?? 0));
    if (fresh.length === 0) return undefined;
    const page = known ?? { base: await baseOf(), attempt: 0, loadedThrough: 0 };
    const together = withPending(fresh, page.pending);
    const number = page.attempt + 1;
    await this.#write(spool, { ...page, attempt: number, pending: together.map((segment) => segment.number) });
    return { spool, number, segments: together, base: page.base, isAgain: page.pending !== undefined };
  }

  /** Notes that an attempt's segments are all there. */
  async end({ spool, segments }: Attempt): Promise<void> {
    const page = this.#pages.get(spool);
    if (page === undefined) return;
    const { pending: _, ...rest } = page;
    await this.#write(spool, { ...rest, loadedThrough: segments.at(-1)?.number ?? page.loadedThrough });
  }

  async #write(spool: string, page: Page): Promise<void> {
    const pages = new Map(this.#pages).set(spool, page);
    const path = join(this.#directory, NAME);
    const file = await open(`${path}.new`, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(Object.fromEntries(pages)));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncDirectory(this.#directory);
    this.#pages.set(spool, page);
  }
}

/** What is kept per spool: a folder of events has one, and another only when somebody put another spool there. */
interface Page {
  readonly base: number;
  readonly attempt: number;
  readonly loadedThrough: number;
  /** Numbers of the segments of the attempt that was begun last and not seen to end. */
  readonly pending?: readonly number[];
}

const NAME = "loads.json";

/** The pending ones when all of them are offered again, which they are unless somebody took files away. */
function withPending(offered: readonly LoadableSegment[], pending: readonly number[] = []): readonly LoadableSegment[] {
  const again = offered.filter(({ number }) => pending.includes(number));
  return again.length > 0 && again.length === pending.length ? again : offered;
}
