import { setTimeout as pause } from "node:timers/promises";
import { EngineAway } from "../engine.ts";
import { ClickHouseServer } from "./server.ts";
import type { Tables } from "./tables.ts";

/**
 * The servers there are, one of which is talked to for as long as it answers. They are named one by one, not through a
 * balancer: a load is several statements that must meet the same server.
 */
export class Fleet {
  readonly #servers: readonly ClickHouseServer[];
  readonly #tables: Tables;
  readonly #prepared = new Set<ClickHouseServer>();
  #current = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<ClickHouseServer> | undefined;
  #isClosed = false;

  constructor(urls: readonly URL[], tables: Tables) {
    this.#servers = urls.map((url) => new ClickHouseServer(url));
    this.#tables = tables;
  }

  /** The server to talk to, which has the tables. @throws EngineAway when none answers. */
  server(): Promise<ClickHouseServer> {
    if (this.#isClosed) return Promise.reject(new EngineAway("the server is stopping"));
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Every other server that answers now. */
  async others(than: ClickHouseServer): Promise<readonly ClickHouseServer[]> {
    const asked = this.#servers.filter((server) => server !== than).map((server) => this.#ready(server).then(() => server));
    return (await Promise.allSettled(asked)).flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const server of this.#servers) await server.close();
  }

  async #look(): Promise<ClickHouseServer> {
    const faults: string[] = [];
    for (let step = 0; step < this.#servers.length; step += 1) {
      const at = (this.#current + step) % this.#servers.length;
      const server = this.#servers[at];
      if (server === undefined) continue;
      if (step === 0 && performance.now() - this.#heardAtMs < HEARD_MS) return server;
      try {
        await this.#ready(server);
        this.#current = at;
        this.#heardAtMs = performance.now();
        return server;
      } catch (error) {
        faults.push(error instanceof Error ? error.message : String(error));
      }
    }
    throw new EngineAway(faults.join("; "));
  }

  async #ready(server: ClickHouseServer): Promise<void> {
    await server.probe();
    if (this.#prepared.has(server)) return;
    if (!(await this.#hasTables(server))) await this.#create(server);
    this.#prepared.add(server);
  }

  async #hasTables(server: ClickHouseServer): Promise<boolean> {
    return (await count(server, this.#tables.countOfExisting)) === this.#tables.size;
  }

  /** On a cluster each server does it when it can: one that is away must not keep the others from beginning. */
  async #create(server: ClickHouseServer): Promise<void> {
    const settings = { distributed_ddl_task_timeout: "0" };
    for (const statement of this.#tables.creation) await server.run(statement, { settings });
    const additions: string[] = [];
    for (const { missing, statement } of this.#tables.additions)
      if ((await count(server, missing)) > 0) additions.push(statement);
    for (const statement of additions) await server.run(statement, { settings });
    for (const sinceMs = performance.now(); !(await this.#hasTables(server)); await pause(PAUSE_MS)) {
      if (performance.now() - sinceMs > CREATION_MS)
        throw new EngineAway(`ClickHouse at ${server.name} has not made the tables yet; its log says why`);
    }
  }
}

async function count(server: ClickHouseServer, question: string): Promise<number> {
  const [found] = await server.rows<{ n: number }>(question);
  return found?.n ?? 0;
}

/** A server that answered so recently is not asked again whether it is there. */
const HEARD_MS = 1_000;
const CREATION_MS = 30_000;
const PAUSE_MS = 50;
