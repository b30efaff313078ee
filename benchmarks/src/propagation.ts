// How long a REST change takes until connected SDKs decide differently: 1 client, then 100, against a real server process.
import { setTimeout as sleep } from "node:timers/promises";
import { type BelayClient, createClient } from "@belay/sdk-node";
import { startServer } from "@belay/testkit";
import { type Control, connectControl, ENVIRONMENT } from "./control.ts";
import { quantile } from "./rounds.ts";

const CHANGES = 200;
const WARMUPS = 20;
const PAUSE_MS = 20;
const FLAG = "propagation";
const CONTEXT = { targetingKey: "user-42" };

const server = await startServer();
const control = await connectControl(server);
await control.send("POST", "/flags", { key: FLAG });
for (const count of [1, 100]) {
  const clients = Array.from({ length: count }, () => createClient({ url: server.url, sdkKey: control.sdkKey }));
  await Promise.all(clients.map((client) => client.ready({ timeoutMs: 10_000 })));
  report(count, await measure(control, clients));
  await Promise.all(clients.map((client) => client.close()));
}
await server.stop();

interface Sample {
  /** From sending the request to its answer. */
  readonly answeredMs: number;
  /** From sending the request to the first and the last client deciding differently. */
  readonly firstMs: number;
  readonly lastMs: number;
}

async function measure({ send }: Control, clients: readonly BelayClient[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let change = -WARMUPS; change < CHANGES; change += 1) {
    const wanted = change % 2 === 0;
    const decided = Promise.all(clients.map((client) => whenDecides(client, wanted)));
    const sentAt = performance.now();
    await send("PUT", `/environments/${ENVIRONMENT}/flags/${FLAG}/rollout`, { percentage: wanted ? 100 : 0 });
    const answeredAt = performance.now();
    const times = await decided;
    if (change >= 0) {
      samples.push({
        answeredMs: answeredAt - sentAt,
        firstMs: Math.min(...times) - sentAt,
        lastMs: Math.max(...times) - sentAt,
      });
    }
    await sleep(PAUSE_MS);
  }
  return samples;
}

function whenDecides(client: BelayClient, wanted: boolean): Promise<number> {
  return new Promise((resolve) => {
    const stop = client.on("change", () => {
      if (client.isEnabled(FLAG, CONTEXT) !== wanted) return;
      stop();
      resolve(performance.now());
    });
  });
}

function report(count: number, samples: readonly Sample[]): void {
  const line = (name: keyof Sample): string => {
    const values = samples.map((sample) => sample[name]);
    return `p50 ${quantile(values, 0.5).toFixed(2)} ms, p99 ${quantile(values, 0.99).toFixed(2)} ms`;
  };
  console.log(`${count} client${count === 1 ? "" : "s"}, ${samples.length} changes`);
  console.log(`  request to answer                    ${line("answeredMs")}`);
  console.log(`  request to first client deciding     ${line("firstMs")}`);
  console.log(`  request to last client deciding      ${line("lastMs")}`);
}
