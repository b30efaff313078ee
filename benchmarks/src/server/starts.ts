import { setTimeout as pause } from "node:timers/promises";
import { type ServerProcess, startServer } from "@belay/testkit";
import { connectControl } from "../control.ts";
import { whole } from "../page.ts";
import { quantile } from "../rounds.ts";
import { CONNECTIONS, residentKb } from "./asking.ts";

const STARTS = 5;
const SETTLE_MS = 1_000;
const MANY = 20_000;

/** Starts on the data folder as it is: until it is ready, Node's own start included, and what the process takes idle. */
export async function startRows(belay: ServerProcess, flags: number): Promise<{ rows: string[][]; server: ServerProcess }> {
  const first = await started(belay, STARTS);
  const rows = [
    [`start with ${whole(flags)} flags, p50 of ${STARTS}`, "<= 500 ms", `${whole(first.ms)} ms`, "", ""],
    ["memory after it, idle", "<= 120 MB", `${(residentKb(first.server.pid) / 1_024).toFixed(0)} MB`, "", ""],
  ];
  const { send } = await connectControl(first.server);
  await makeFlags(send, flags, MANY);
  const many = await started(first.server, 3);
  rows.push([`start with ${whole(MANY)} flags, p50 of 3`, "<= 2 s", `${whole(many.ms)} ms`, "", ""]);
  return { rows, server: many.server };
}

/** Makes the flags from one number to below another. */
export async function makeFlags(
  send: (method: string, path: string, body: object) => Promise<unknown>,
  from: number,
  to: number,
): Promise<void> {
  let next = from;
  const maker = async (): Promise<void> => {
    while (next < to) await send("POST", "/flags", { key: `flag-${next++}` });
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, maker));
}

async function started(belay: ServerProcess, times: number): Promise<{ readonly ms: number; readonly server: ServerProcess }> {
  const taken: number[] = [];
  let server = belay;
  for (let n = 0; n < times; n += 1) {
    await server.stop();
    const since = performance.now();
    server = await startServer({ dataDir: belay.dataDir, port: belay.port });
    taken.push(performance.now() - since);
    await pause(SETTLE_MS);
  }
  return { ms: quantile(taken, 0.5), server };
}
