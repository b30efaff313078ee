import { setTimeout as pause } from "node:timers/promises";
import { EngineAway } from "../engine.ts";
import type { ClickHouseServer } from "./server.ts";
import { receivedBefore, text, whole } from "./sql.ts";
import { AGING_TABLES, ARM_TABLES, type TableName, type Tables, UNIT_TABLES } from "./tables.ts";

/** Takes rows out for good: whole days by their partition, what is left row by row. Answers when no row is left. */
export class Deletion {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Everything of a project that was received before a moment; how many events that were. */
  async retain(server: ClickHouseServer, project: string, sinceMs: number): Promise<number> {
    let events = 0;
    for (const table of AGING_TABLES) {
      const gone = await this.#retainIn(server, table, project, sinceMs);
      if (UNIT_TABLES.includes(table)) events += gone;
    }
    await this.#forgetSilent(server, project, sinceMs);
    return events;
  }

  /** What one unit of a project did; how many events that were. */
  async erase(server: ClickHouseServer, project: string, unit: string): Promise<number> {
    const where = `project = ${text(project)} and unit = ${text(unit)}`;
    let events = 0;
    for (const table of UNIT_TABLES) {
      const [found] = await server.rows<{ n: number }>(
        `select toFloat64(count()) as n from ${this.#tables.name(table)} where ${where}`,
      );
      events += found?.n ?? 0;
      if (found?.n !== 0) await this.#deleteRows(server, table, where);
    }
    return events;
  }

  /**
   * The ledger of instances that were not heard since a moment. What is left of one must still add up: reports are running
   * totals, and half of what it stored would look like loss.
   */
  async #forgetSilent(server: ClickHouseServer, project: string, sinceMs: number): Promise<void> {
    const of = `project = ${text(project)}`;
    const heard = ARM_TABLES.map(
      (table) =>
        `select environment, instance, toUInt8(${receivedBefore(sinceMs)}) as is_old from ${this.#tables.name(table)} where ${of}`,
    );
    const silent = await server.rows<{ environment: string; instance: string }>(
      `select environment, instance from (${heard.join(" union all ")})
        group by environment, instance having min(is_old) = 1 order by environment, instance`,
    );
    for (let from = 0; from < silent.length; from += INSTANCES_TOGETHER) {
      const some = silent.slice(from, from + INSTANCES_TOGETHER);
      const names = some.map(({ environment, instance }) => `(${text(environment)}, ${text(instance)})`);
      const where = `${of} and (environment, instance) in (${names.join(", ")})`;
      for (const table of ARM_TABLES) await this.#deleteRows(server, table, where);
    }
  }

  async #retainIn(server: ClickHouseServer, table: TableName, project: string, sinceMs: number): Promise<number> {
    const age = table === "evaluation_counts_loaded" ? "minute" : "received_at";
    const isOld =
      age === "minute" ? `toUInt32(minute) < ${whole(Math.max(0, Math.floor(sinceMs / 1_000)))}` : receivedBefore(sinceMs);
    const where = `project = ${text(project)} and ${isOld}`;
    // Rows of a day that stay are those of other projects and, on the day of the moment itself, the later ones.
    const days = await server.rows<Day>(
      `select toString(toDate(${age})) as day, toFloat64(countIf(${where})) as old, toFloat64(count()) as n
        from ${this.#tables.name(table)} where ${isOld} or toDate(${age}) = toDate(toDateTime(${second(sinceMs)}, 'UTC'))
        group by day having old > 0 order by day`,
    );
    const whollyOld = days.filter(({ old, n }) => old === n);
    for (const { day } of whollyOld) {
      await server.run(`alter table ${this.#tables.stored(table)} drop partition ${text(day)}`, DELETING);
    }
    if (whollyOld.length < days.length) await this.#deleteRows(server, table, where);
    return days.reduce((sum, { old }) => sum + old, 0);
  }

  /** Rewrites the parts that hold such rows, and waits for it: until then the rows are still read. */
  async #deleteRows(server: ClickHouseServer, table: TableName, where: string): Promise<void> {
    await server.run(`alter table ${this.#tables.stored(table)} delete where ${where}`, DELETING);
    const left = `select toFloat64(count()) as n from ${this.#tables.name(table)} where ${where}`;
    const running = `select toFloat64(count()) as n from ${this.#tables.mutations}
      where is_done = 0 and database = ${text(this.#tables.database)} and table in (${text(table)}, ${text(`${table}_local`)})`;
    for (const sinceMs = performance.now(); ; await pause(PAUSE_MS)) {
      const [[rows], [mutations]] = [await server.rows<{ n: number }>(left), await server.rows<{ n: number }>(running)];
      if (rows?.n === 0 && mutations?.n === 0) return;
      if (performance.now() - sinceMs > DELETING.timeoutMs) {
        throw new EngineAway(`ClickHouse at ${server.name} has not deleted the rows yet; it goes on with it`);
      }
    }
  }
}

interface Day {
  readonly day: string;
  readonly old: number;
  /** All rows of the day. */
  readonly n: number;
}

const second = (ms: number): string => whole(Math.min(Math.max(0, Math.floor(ms / 1_000)), 4_294_967_295));

/** On a cluster every server must have done it. */
const DELETING = { timeoutMs: 60_000, settings: { distributed_ddl_task_timeout: "50" } } as const;
const PAUSE_MS = 50;
/** A statement has 256 KiB. */
const INSTANCES_TOGETHER = 500;
