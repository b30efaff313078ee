import { type TempDir, tempDir } from "@belay/testkit";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { eventDoors } from "../exposures/routes.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { Importer, type ImporterOptions } from "./importer.ts";
import { importDoors } from "./routes.ts";
import type { ImportView } from "./views.ts";

/** A server whose imports and events are in a folder that outlives it. */
export interface ImportBench {
  readonly server: TestServer;
  readonly events: EventStore;
  readonly imports: Importer;
  readonly folder: TempDir;
  /** Sends a file as the body. */
  readonly send: (query: string, body: string | Buffer, headers?: Readonly<Record<string, string>>) => Promise<Sent>;
  /** Sends it and waits for its end. */
  readonly import: (query: string, body: string | Buffer, headers?: Readonly<Record<string, string>>) => Promise<ImportView>;
  readonly ended: (id: string) => Promise<ImportView>;
  readonly rejected: (id: string) => Promise<unknown[]>;
  readonly rows: (name?: "exposures" | "metric-events") => Promise<Readonly<Record<string, unknown>>[]>;
  readonly close: () => Promise<void>;
}

export interface Sent {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  readonly body: any;
}

export async function importBench(
  options: Partial<ImporterOptions> & { readonly folder?: TempDir; readonly spoolBytesMax?: number } = {},
): Promise<ImportBench> {
  const folder = options.folder ?? (await tempDir("imports"));
  const events = await openEventStore({
    directory: `${folder.path}/events`,
    database: "here",
    segmentAgeMs: 50,
    ...(options.spoolBytesMax === undefined ? {} : { spoolBytesMax: options.spoolBytesMax }),
  });
  const { folder: _, spoolBytesMax: __, ...more } = options;
  const imports = await Importer.open({ directory: `${folder.path}/imports`, events, now: Date.now, ...more });
  const server = await testServer({
    doors: [(access) => eventDoors({ access, events, hasEnvironment: () => true }), importDoors(imports)],
  });
  const send: ImportBench["send"] = async (query, body, headers = CSV) => {
    const answer = await server.app.inject({
      method: "POST",
      url: `${P}/imports?environment=production&${query}`,
      headers: { authorization: `Bearer ${server.adminToken}`, ...headers },
      payload: body,
    });
    return { status: answer.statusCode, body: answer.json() };
  };
  const textOf = async (url: string): Promise<string> =>
    (await server.app.inject({ url, headers: { authorization: `Bearer ${server.adminToken}` } })).body;
  const ended = async (id: string): Promise<ImportView> => {
    const view = async (): Promise<ImportView> => (await server.ask("GET", `${P}/imports/${id}`)).body;
    await expect.poll(async () => (await view()).endedAt, { timeout: 60_000, interval: 20 }).toBeDefined();
    return view();
  };
  return {
    server,
    events,
    imports,
    folder,
    send,
    ended,
    import: async (query, body, headers) => {
      const sent = await send(query, body, headers);
      expect(sent, JSON.stringify(sent.body)).toMatchObject({
        status: expect.toSatisfy((status: number) => status < 300) as number,
      });
      return ended(sent.body.id);
    },
    rejected: async (id) => linesOf(await textOf(`${P}/imports/${id}/rejected?format=ndjson`)),
    rows: async (name = "exposures") => linesOf(await textOf(`${P}/${name}`)),
    close: async () => {
      await server.close();
      await imports.close();
      await events.close();
      if (options.folder === undefined) await folder.remove();
    },
  };
}

export const CSV = { "content-type": "text/csv" };
export const NDJSON = { "content-type": "application/x-ndjson" };
export const PARQUET = { "content-type": "application/vnd.apache.parquet" };

/** Assignments to one experiment, mapped as a warehouse's table would be. */
export const ASSIGNMENTS = "kind=exposures&set.experiment=gate-test&variant=arm&time=at";

/** A Parquet file of a query. */
export async function parquetOf(folder: TempDir, sql: string): Promise<Buffer> {
  const { readFile } = await import("node:fs/promises");
  const path = `${folder.path}/made.parquet`;
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`copy (${sql}) to '${path}' (format parquet)`);
  connection.closeSync();
  instance.closeSync();
  return readFile(path);
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
function linesOf(text: string): any[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
