import { randomUUID } from "node:crypto";
import { murmur3 } from "@belay/core";
import { SPACE_PPM } from "@belay/protocol";
import { type BelayClient, createClient } from "@belay/sdk-node";
import type { ServerProcess } from "@belay/testkit";
import { type Control, connectControl, ENVIRONMENT } from "./control.ts";

const STAGE_PERCENTAGE = 1;
/** Failures of treated units alone, at 1 %, that are evidence enough in one batch. */
const FAILURES = 5;

/**
 * Lets harm be found, over and over: each round a new release at 1 %, and one batch that decides.
 *
 * @returns for each round, milliseconds from the acknowledgement of that batch to each client deciding off; below 0 where
 * a client was faster than the acknowledgement
 */
export async function measureRollbacks(
  server: ServerProcess,
  { clients: count, rounds }: { readonly clients: number; readonly rounds: number },
): Promise<number[][]> {
  const control = await connectControl(server);
  const clients = Array.from({ length: count }, () => createClient({ url: server.url, sdkKey: control.sdkKey }));
  try {
    await Promise.all(clients.map((client) => client.ready({ timeoutMs: 20_000 })));
    const taken: number[][] = [];
    for (let round = 0; round < rounds; round += 1) taken.push(await goBack(`release-${round}`, server.url, control, clients));
    return taken;
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function goBack(key: string, url: string, control: Control, clients: readonly BelayClient[]): Promise<number[]> {
  const treated = await release(key, control);
  const unit = treated[0] ?? "";
  await Promise.all(clients.map((client) => whenDecides(client, key, unit, true)));
  const off = Promise.all(clients.map((client) => whenDecides(client, key, unit, false)));
  await fail(treated, key, url, control.sdkKey);
  const acknowledgedAt = performance.now();
  return (await off).map((at) => at - acknowledgedAt);
}

/** Starts a release; units it treats. */
async function release(key: string, { send }: Control): Promise<string[]> {
  const flag = (await send("POST", "/flags", { key })) as { spaces: { share: { salt: string } } };
  const releases = `/environments/${ENVIRONMENT}/releases`;
  const measure = { kind: "failures", event: `${key}-failed` };
  await send("POST", releases, {
    key,
    flag: key,
    stages: [{ name: "First", percentage: STAGE_PERCENTAGE, hold: { minDurationS: 3_600 }, gates: [] }],
    guardrails: [{ metric: "failed", measure, harm: "increase", margin: 0.5, onBreach: "rollback", staleAfterS: 3_600 }],
    alertRoutes: ["slack:#releases"],
  });
  await send("POST", `${releases}/${key}/ready`, {});
  await send("POST", `${releases}/${key}/start`, {});
  const treated: string[] = [];
  const isTreated = (unit: string): boolean =>
    (murmur3(flag.spaces.share.salt + unit) >>> 0) / 0x1_0000_0000 < (STAGE_PERCENTAGE * 10_000) / SPACE_PPM;
  for (let index = 0; treated.length < FAILURES; index += 1) if (isTreated(`unit-${index}`)) treated.push(`unit-${index}`);
  return treated;
}

async function fail(units: readonly string[], key: string, url: string, sdkKey: string): Promise<void> {
  const timeMs = Date.now();
  const metrics = units.map((unit, index) => ({ seq: index + 1, timeMs, name: `${key}-failed`, unit }));
  const answer = await fetch(`${url}/sdk/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" },
    body: JSON.stringify({ batchId: key, sentAtMs: timeMs, sdk: "benchmark/1", instance: randomUUID(), metrics }),
  });
  if (answer.status !== 202) throw new Error(`The batch was answered with ${answer.status}: ${await answer.text()}`);
}

function whenDecides(client: BelayClient, key: string, unit: string, wanted: boolean): Promise<number> {
  return new Promise((resolve) => {
    const look = (): boolean => {
      if (client.isEnabled(key, { targetingKey: unit }) !== wanted) return false;
      resolve(performance.now());
      return true;
    };
    if (look()) return;
    const stop = client.on("change", () => {
      if (look()) stop();
    });
  });
}
