import { connect } from "node:net";
import { seeded, startServer, tempDir } from "@belay/testkit";
import { expect, test } from "vitest";
import type { ImportView } from "./views.ts";

/** These start the built server as its users do. */
const TOKEN = "imports-kill-token-0123456789";
const AUTHORISED = { authorization: `Bearer ${TOKEN}` };
const IMPORTS = "/api/v1/projects/default/imports";
const QUERY = "environment=production&kind=exposures&set.experiment=e";
/** 50 with `BELAY_KILLS=50`; the quick suite does 5. */
const KILLS = Math.min(50, Number(process.env["BELAY_KILLS"] ?? 5));
const ROWS = 60_000;

function fileOf(rows: number): string {
  const lines = ["unit,variant,time\n"];
  // Every hundredth row has no unit.
  for (let row = 1; row <= rows; row += 1) lines.push(`${row % 100 === 0 ? "" : `u${row}`},v${row % 2},2019-03-01T00:00:00Z\n`);
  return lines.join("");
}

async function ask<T>(url: string): Promise<T> {
  return (await (await fetch(url, { headers: AUTHORISED })).json()) as T;
}

test(
  `${KILLS} kill -9 in the middle of an import of ${ROWS} rows: each row counts once, and each rejected row is told once`,
  async () => {
    const folder = await tempDir("import-kill");
    const env = { BELAY_ADMIN_TOKEN: TOKEN };
    const dice = seeded(7);
    let server = await startServer({ dataDir: folder.path, env });
    const sent = await fetch(`${server.url}${IMPORTS}?${QUERY}`, {
      method: "POST",
      headers: { ...AUTHORISED, "content-type": "text/csv" },
      body: fileOf(ROWS),
    });
    const { id } = (await sent.json()) as ImportView;
    expect(sent.status).toBe(201);
    let killedEarly = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, dice.below(400)));
      const { state } = await ask<ImportView>(`${server.url}${IMPORTS}/${id}`);
      if (state !== "finished") killedEarly += 1;
      await server.kill();
      server = await startServer({ dataDir: folder.path, env });
    }
    const view = (): Promise<ImportView> => ask<ImportView>(`${server.url}${IMPORTS}/${id}`);
    await expect.poll(async () => (await view()).state, { timeout: 60_000, interval: 50 }).toBe("finished");
    const rejected = ROWS / 100;
    expect(await view()).toMatchObject({ rowsTotal: ROWS, rows: ROWS, accepted: ROWS - rejected, rejected });
    expect(killedEarly).toBeGreaterThan(0);

    const pulled = await (
      await fetch(`${server.url}/api/v1/projects/default/exposures?format=ndjson`, { headers: AUTHORISED })
    ).text();
    const seqs = pulled.split("\n").flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as { seq: number }).seq]));
    expect([seqs.length, new Set(seqs).size]).toEqual([ROWS - rejected, ROWS - rejected]);
    const told = await (await fetch(`${server.url}${IMPORTS}/${id}/rejected?format=ndjson`, { headers: AUTHORISED })).text();
    const rows = told.split("\n").flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as { row: number }).row]));
    expect(rows).toEqual(Array.from({ length: rejected }, (_, index) => 100 * (index + 1)));
    await server.stop();
    await folder.remove();
  },
  90_000 + KILLS * 10_000,
);

test("a body cut in the middle is no import, and one that takes longer than other requests may is", async () => {
  const folder = await tempDir("import-cut");
  const server = await startServer({ dataDir: folder.path, env: { BELAY_ADMIN_TOKEN: TOKEN } });
  const { port, hostname } = new URL(server.url);
  const head = (length: number): string =>
    `POST ${IMPORTS}?${QUERY} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: text/csv\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`;
  const file = fileOf(20);

  const cut = connect(Number(port), hostname);
  cut.write(head(1_000_000));
  cut.write(file);
  await new Promise((resolve) => cut.once("connect", () => setTimeout(resolve, 200)));
  cut.destroy();

  let answer = "";
  const slow = connect(Number(port), hostname).setEncoding("utf8");
  slow.on("data", (chunk: string) => {
    answer += chunk;
  });
  slow.write(head(file.length));
  for (let at = 0; at < file.length; at += 100) {
    slow.write(file.slice(at, at + 100));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => slow.once("close", resolve));
  expect(answer).toMatch(/^HTTP\/1\.1 201 /);
  const { items } = await ask<{ items: ImportView[] }>(`${server.url}${IMPORTS}`);
  expect(items.map(({ bytes }) => bytes)).toEqual([file.length]);
  await server.stop();
  await folder.remove();
}, 60_000);
