import type { SightingHead, SightingPage, SightingStore } from "./sighting-store.ts";

/** Sightings of several servers in one process. Each server has a `join`ed end, which a test may cut off. */
export class MemorySightings {
  readonly #pages = new Map<string, SightingPage>();
  readonly #writtenAt = new Map<string, number>();
  readonly #watchers = new Set<() => void>();

  get size(): number {
    return this.#pages.size;
  }

  join(line: { isCut: boolean } = { isCut: false }): SightingStore {
    const own = new Set<() => void>();
    const reach = async (): Promise<void> => {
      if (line.isCut) throw new Error("cut off");
    };
    return {
      put: async (pages, now) => {
        await reach();
        for (const page of pages) {
          const name = nameOf(page);
          if (!this.#pages.has(name)) this.#pages.set(name, structuredClone(page));
          this.#writtenAt.set(page.run, now);
        }
        for (const tell of this.#watchers) setImmediate(tell);
      },
      heads: async (runs) => {
        await reach();
        const last = new Map<string, SightingHead>();
        for (const { run, writer, number } of this.#pages.values()) {
          const name = JSON.stringify([run, writer]);
          if (runs.includes(run) && (last.get(name)?.number ?? 0) < number) last.set(name, { run, writer, number });
        }
        return [...last.values()];
      },
      after: async ({ run, writer, number }, limit) => {
        await reach();
        const mine = [...this.#pages.values()].filter((page) => page.run === run && page.writer === writer);
        const later = mine.filter((page) => page.number > number).sort((a, b) => a.number - b.number);
        return structuredClone(later.slice(0, limit));
      },
      forget: async (run) => {
        await reach();
        this.#forget(run);
      },
      forgetIdle: async (since, save) => {
        await reach();
        const idle = [...this.#writtenAt].filter(([run, at]) => at < since && !save.includes(run)).map(([run]) => run);
        const writers = new Set([...this.#pages.values()].filter(({ run }) => idle.includes(run)).map(({ writer }) => writer));
        for (const run of idle) this.#forget(run);
        return writers.size;
      },
      watch: (onChange) => {
        this.#watchers.add(onChange);
        own.add(onChange);
        setImmediate(onChange);
        return () => this.#watchers.delete(onChange);
      },
      close: async () => {
        for (const each of own) this.#watchers.delete(each);
      },
    };
  }

  #forget(run: string): void {
    this.#writtenAt.delete(run);
    for (const [name, page] of this.#pages) if (page.run === run) this.#pages.delete(name);
  }
}

function nameOf({ run, writer, number }: SightingHead): string {
  return JSON.stringify([run, writer, number]);
}
