import type { LedgerStore, ToldLedger } from "./ledger-store.ts";

/** What several servers in one process told. Each has a `join`ed end, which a test may cut off. */
export class MemoryLedgers {
  readonly #told = new Map<string, ToldLedger>();

  join(line: { isCut: boolean } = { isCut: false }): LedgerStore {
    const reach = async (): Promise<void> => {
      if (line.isCut) throw new Error("cut off");
    };
    return {
      put: async (told) => {
        await reach();
        this.#told.set(keyOf(told), structuredClone(told));
      },
      pass: async (told, heir) => {
        await reach();
        if (this.#told.get(keyOf(told))?.at === told.at) this.#told.set(keyOf(told), structuredClone({ ...told, heir }));
      },
      of: async (project) => {
        await reach();
        const there = [...this.#told.values()].filter((told) => told.project === project);
        const nameOf = ({ server, environment }: ToldLedger): string => `${server} ${environment}`;
        return structuredClone(there.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)));
      },
      forget: async (before) => {
        await reach();
        for (const [key, { at }] of this.#told) if (at < before) this.#told.delete(key);
      },
      close: async () => undefined,
    };
  }
}

const keyOf = ({ server, project, environment }: ToldLedger): string => JSON.stringify([server, project, environment]);
