import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { seeded, tempDir } from "@belay/testkit";
import { expect, it } from "vitest";
import { openDriver } from "../sqlite/driver.ts";
import { openChangeLog } from "./index.ts";

const BUILT = fileURLToPath(new URL("../../../dist/store/changes/index.js", import.meta.url));

/** Commits for ever in groups of eight and prints the revision of each commit once it is acknowledged. */
const WRITER = `
  const { openChangeLog } = await import(process.argv[1]);
  const log = await openChangeLog(process.argv[2]);
  let revision = (await log.load()).streams[0]?.revision ?? 0;
  for (;;) {
    await Promise.all(Array.from({ length: 8 }, async () => {
      const from = revision++;
      const outcome = await log.commit({
        raises: [{ project: "p", revision: from }],
        change: { project: "p", at: 1, actor: { id: "a", name: "a" }, requestId: "r", action: "x", target: { kind: "d", key: "d" } },
        documents: [{ project: "p", kind: "d", key: "d", body: { revision: from + 1, padding: "x".repeat(1000) } }],
      });
      if (outcome.status !== "committed") throw new Error(JSON.stringify(outcome));
      process.stdout.write(from + 1 + "\\n");
    }));
  }
`;

const SEED = 20_261_122;
const KILLS = 25;

it(`loses no acknowledged commit in ${KILLS} kills (seed ${SEED})`, async () => {
  const dice = seeded(SEED);
  const dir = await tempDir("kill");
  const file = join(dir.path, "changes.db");
  let acknowledged = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    acknowledged = await writeUntilKilled(file, 5 + dice.below(120));
    const log = await openChangeLog(file);
    const { streams, documents } = await log.load();
    const revision = streams[0]?.revision ?? 0;
    expect(revision).toBeGreaterThanOrEqual(acknowledged);
    expect(documents[0]?.body).toMatchObject({ revision });
    expect((await log.changes({}, 1))[0]?.revision).toBe(revision);
    await log.close();
  }
  const driver = await openDriver(file);
  expect(driver.all("pragma integrity_check", [])).toEqual([{ integrity_check: "ok" }]);
  driver.close();
  expect(acknowledged).toBeGreaterThan(KILLS * 8);
  await dir.remove();
}, 120_000);

/** Starts the writer, kills it `afterMs` after its first acknowledgement, and returns the last revision it acknowledged. */
async function writeUntilKilled(file: string, afterMs: number): Promise<number> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", WRITER, BUILT, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = 0;
  for await (const line of createInterface(child.stdout)) {
    if (last === 0) setTimeout(() => child.kill("SIGKILL"), afterMs);
    // A line cut by the kill is a smaller number or none at all: it claims less, never more.
    last = Math.max(last, Number(line));
  }
  return last;
}
