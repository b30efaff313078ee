import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openShop, type ServerProcess, type Shop, startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUNDLED_MAIN, bundleServer, isBundled } from "../scripts/bundle.mjs";
import { fetchBackup } from "./backups/fetch-backup.ts";
import { restore } from "./backups/restore.ts";

type BundledFile = Awaited<ReturnType<typeof bundleServer>>[number];

let files: readonly BundledFile[];
let dir: TempDir;
beforeAll(async () => {
  dir = await tempDir("bundle");
  files = await bundleServer();
}, 60_000);
afterAll(() => dir.remove());

const isOf = ({ moduleIds }: BundledFile, end: string): boolean => moduleIds.some((id) => id.endsWith(end));

/** A file with all that it imports at once, and what these import that is not in the bundle. */
function loadedWith(first: BundledFile): { readonly loaded: readonly BundledFile[]; readonly others: readonly string[] } {
  const byName = new Map(files.map((file) => [file.fileName, file]));
  const names = new Set([first.fileName]);
  for (const name of names) for (const each of byName.get(name)?.imports ?? []) names.add(each);
  return {
    loaded: [...names].flatMap((name) => byName.get(name) ?? []),
    others: [...names].filter((name) => !byName.has(name)),
  };
}

const packageOf = (id: string): string | undefined => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];

describe("what a start loads", () => {
  const start = (): ReturnType<typeof loadedWith> => {
    const server = files.find((file) => isOf(file, "/packages/server/dist/server.js"));
    if (server === undefined) throw new Error("no file holds the server");
    return loadedWith(server);
  };

  it("is a few files, and of packages outside the bundle none", () => {
    const { loaded, others } = start();
    expect(loaded.reduce((sum, { moduleIds }) => sum + moduleIds.length, 0)).toBeGreaterThan(900);
    expect(loaded.length).toBeLessThan(25);
    expect(
      others.filter((name) => !/^(node:)?(assert|buffer|events|fs|path|stream|zlib|[a-z_]+(\/promises)?)$/.test(name)),
    ).toEqual([]);
    expect(others).not.toContain("libsql");
  });

  it("holds nothing that is there for one engine, for imports or for reading about doors", () => {
    const packages = new Set(start().loaded.flatMap(({ moduleIds }) => moduleIds.flatMap((id) => packageOf(id) ?? [])));
    const rare = [
      "@clickhouse/client",
      "@duckdb/node-api",
      "@fastify/swagger",
      "apache-arrow",
      "csv-parse",
      "ioredis",
      "openid-client",
      "pg",
      "yaml",
    ];
    expect(rare.filter((name) => packages.has(name))).toEqual([]);
    expect(packages.has("fastify")).toBe(true);
    const folders = ["/store/events/duckdb/database.js", "/imports/reader-process.js", "/relays/relay.js", "/http/doc-pages.js"];
    expect(folders.filter((path) => start().loaded.some((file) => isOf(file, path)))).toEqual([]);
  });

  it("nothing that looks for files of its own package, but for the log's threads, which are not used", () => {
    const modules = files.flatMap((file) => Object.entries(file.modules));
    const searching = modules.filter(([, { code }]) => code?.includes("__dirname"));
    expect(new Set(searching.map(([id]) => packageOf(id)))).toEqual(new Set(["pino", "thread-stream"]));
  });
});

it("is made anew when the compiler wrote something since", async () => {
  const [main, source] = [join(dir.path, "main.js"), join(dir.path, "source")];
  expect(isBundled({ main, sources: [] })).toBe(false);
  for (const [path, seconds] of [
    [main, 2_000],
    [source, 1_000],
  ] as const) {
    await writeFile(path, "");
    await utimes(path, seconds, seconds);
  }
  expect([isBundled({ main, sources: [source] }), isBundled({ main, sources: [source, `${source}-2`] })]).toEqual([true, false]);
  await utimes(source, 3_000, 3_000);
  expect(isBundled({ main, sources: [source] })).toBe(false);
  expect(isBundled()).toBe(true);
});

describe("the bundled server", () => {
  let server: ServerProcess;
  let shop: Shop;
  beforeAll(async () => {
    server = await startServer({ program: BUNDLED_MAIN });
    shop = await openShop(server);
  }, 60_000);
  afterAll(() => server.stop());

  const ask = (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { authorization: `Bearer ${server.adminToken}`, ...init.headers };
    return fetch(`${server.url}${path}`, { ...init, headers });
  };
  const P = "/api/v1/projects/default";
  const exposures = [1, 2, 3].map((seq) => ({
    ...{ seq, timeMs: 1_000 + seq, flag: "pricing", variant: "roomy", experiment: "pricing-test", epoch: 1, revision: 1 },
    unit: `user-${seq}`,
  }));

  it("takes exposures in and hands them out of its database's process, in each format", async () => {
    const key = await shop.key("server");
    const sent = await ask("/sdk/v1/events", {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ batchId: "b", sentAtMs: Date.now(), sdk: "test/1", instance: "i", exposures }),
    });
    expect(sent.status).toBe(202);
    await expect
      .poll(async () => (await shop.exposures()).map(({ unit }) => unit), { timeout: 20_000 })
      .toEqual(["user-1", "user-2", "user-3"]);
    const first = async (accept: string, length: number): Promise<string> => {
      const pull = await ask(`${P}/exposures?environment=production`, { headers: { accept } });
      return Buffer.from(await pull.arrayBuffer()).toString("latin1", 0, length);
    };
    expect(await first("application/vnd.apache.parquet", 4)).toBe("PAR1");
    expect(await first("application/vnd.apache.arrow.stream", 4)).toBe("\xff\xff\xff\xff");
  });

  it("reads an imported file in a process of its own", async () => {
    const columns = "unit=user&variant=arm&time=at&set.experiment=history";
    const sent = await ask(`${P}/imports?environment=production&kind=exposures&${columns}`, {
      method: "POST",
      headers: { "content-type": "text/csv" },
      body: "user,arm,at\nann,a,2026-01-01T00:00:00Z\nbob,,2026-01-01T00:00:00Z\n",
    });
    const { id } = (await sent.json()) as { id: string };
    const read = async (): Promise<object> => (await (await ask(`${P}/imports/${id}`)).json()) as object;
    await expect.poll(read, { timeout: 30_000 }).toMatchObject({ state: "finished", rows: 2, accepted: 1, rejected: 1 });
  });

  it("copies its databases for a backup", async () => {
    const file = join(dir.path, "backup.tar.gz");
    await fetchBackup({ url: server.url, token: server.adminToken }, file);
    const manifest = await restore(file, join(dir.path, "restored"));
    expect(manifest.parts).toEqual(["events", "deliveries.db", "changes.db"]);
  });

  it("describes its doors and shows the pages that read the description", async () => {
    const { paths } = (await (await ask("/docs/json")).json()) as { paths: object };
    expect(Object.keys(paths).length).toBeGreaterThan(100);
    const page = await ask("/docs/");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect((await ask("/docs/static/swagger-ui.css")).headers.get("content-type")).toBe("text/css; charset=utf-8");
    expect((await ask("/docs/static/none.css")).headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
  });
});
