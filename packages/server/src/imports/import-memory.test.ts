import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { startServer, tempDir } from "@belay/testkit";
import { expect, test } from "vitest";
import type { ImportView } from "./views.ts";

/** The full measure is `BELAY_IMPORT_ROWS=1000000`; the quick suite imports enough for a file held in memory to show. */
const ROWS = Number(process.env["BELAY_IMPORT_ROWS"] ?? 150_000);
/** A row is about 1 kB: a server that held the file would grow by more than this. */
const GROWTH_MB = 100;
const PLAN = "x".repeat(900);

test(
  `an import of ${ROWS} rows of 1 kB makes the server grow by less than ${GROWTH_MB} MB`,
  async () => {
    const folder = await tempDir("import-memory");
    const server = await startServer({ dataDir: folder.path });
    const headers = { authorization: `Bearer ${server.adminToken}` };
    const residentMb = async (): Promise<number> => {
      const [, kb] = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${server.pid}/status`, "utf8")) ?? [];
      return Number(kb) / 1_024;
    };
    const freshMb = await residentMb();
    const imports = `${server.url}/api/v1/projects/default/imports`;
    const sent = await fetch(`${imports}?environment=production&kind=exposures&set.experiment=e&extra=plan`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/x-ndjson" },
      body: Readable.toWeb(Readable.from(rowsOf())) as ReadableStream,
      duplex: "half",
    } as RequestInit);
    const { id, bytes } = (await sent.json()) as ImportView;
    expect([sent.status, bytes]).toEqual([201, expect.toSatisfy((size: number) => size > 900 * ROWS)]);
    let peakMb = await residentMb();
    let view: ImportView;
    do {
      await new Promise((resolve) => setTimeout(resolve, 50));
      peakMb = Math.max(peakMb, await residentMb());
      view = (await (await fetch(`${imports}/${id}`, { headers })).json()) as ImportView;
    } while (view.endedAt === undefined);
    expect(view).toMatchObject({ state: "finished", rows: ROWS, accepted: ROWS, rejected: 0 });
    console.info(`import of ${ROWS} rows, ${Math.round(bytes / 1e6)} MB: the server grew by ${Math.round(peakMb - freshMb)} MB`);
    expect(peakMb - freshMb).toBeLessThan(GROWTH_MB);
    await server.stop();
    await folder.remove();
  },
  120_000 + 2 * ROWS,
);

function* rowsOf(): Generator<string> {
  for (let from = 0; from < ROWS; from += 100) {
    yield Array.from(
      { length: 100 },
      (_, index) => `{"unit":"u${from + index}","variant":"a","time":"2019-03-01","plan":"${PLAN}"}\n`,
    ).join("");
  }
}
