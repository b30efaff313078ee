import { setTimeout as pause } from "node:timers/promises";
import { startServer, tempDir } from "@belay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { connectControl } from "./control.ts";
import { estimate, FILLED_FROM_MS, type Filling, fillStore, SCATTER, spanMsOf, unitsOf, withDatabase } from "./filled-store.ts";

const FILLING: Filling = { rows: 1_950, days: 30, experiments: 8 };
const INSTANCES = 50;

test("what is written into a store is what its loader writes of the same exposures, and finds of first exposures", async () => {
  const [filled, sent] = [await tempDir("filled"), await tempDir("sent")];
  onTestFinished(async () => {
    await filled.remove();
    await sent.remove();
  });
  await fillStore(filled.path, FILLING);
  const variants = new Map(await rows(filled.path, "select distinct unit, variant from exposures"));
  await send(sent.path, variants as ReadonlyMap<string, string>);
  // Arrival is each run's own: in what order, when, and by whose clock.
  const exposures = "select * exclude (position, received_at, clock_offset_ms) from exposures order by instance, seq";
  expect(await rows(filled.path, exposures)).toEqual(await rows(sent.path, exposures));
  const firsts = "select * exclude (position, received_at) from first_exposures order by key, unit";
  const found = await rows(filled.path, firsts);
  expect(found).toHaveLength(FILLING.rows);
  expect(found).toEqual(await rows(sent.path, firsts));
});

async function rows(path: string, sql: string): Promise<[string, unknown][]> {
  return withDatabase(path, async (connection) => (await connection.runAndReadAll(sql)).getRowsJson() as [string, unknown][]);
}

async function send(dataDir: string, variants: ReadonlyMap<string, string>): Promise<void> {
  const server = await startServer({ dataDir });
  const { sdkKey } = await connectControl(server);
  for (let instance = 0; instance < INSTANCES; instance += 1) {
    const numbers = Array.from({ length: FILLING.rows / INSTANCES }, (_, index) => index * INSTANCES + instance);
    const answer = await fetch(`${server.url}/sdk/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" },
      body: JSON.stringify({
        batchId: "b",
        sentAtMs: Date.now(),
        sdk: "node/0.1.0",
        instance: `instance-${instance}`,
        exposures: numbers.map((n) => exposure(n, variants)),
      }),
    });
    expect(await answer.json()).toMatchObject({ accepted: numbers.length, rejected: [] });
  }
  while ((await estimate(server, "")) !== FILLING.rows) await pause(50);
  await server.stop();
}

function exposure(n: number, variants: ReadonlyMap<string, string>): object {
  const { experiments } = FILLING;
  const units = unitsOf(FILLING);
  const nth = (Math.floor(n / experiments) + (n % experiments) * Math.floor(units / experiments)) % units;
  const unit = `user-${(nth * SCATTER) % units}`;
  return {
    seq: Math.floor(n / INSTANCES) + 1,
    timeMs: FILLED_FROM_MS + Math.floor((n * spanMsOf(FILLING)) / FILLING.rows),
    flag: `flag-${n % experiments}`,
    variant: variants.get(unit),
    rule: "rollout",
    experiment: `experiment-${n % experiments}`,
    epoch: 7,
    revision: 12,
    unit,
    differs: true,
    attributes: { country: "DE", plan: "pro", n: n % 1_000 },
  };
}
