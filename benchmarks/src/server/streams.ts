import { setTimeout as pause } from "node:timers/promises";
import { type ServerProcess, startServer } from "@belay/testkit";
import { type Control, ENVIRONMENT } from "../control.ts";
import { whole } from "../page.ts";
import { quantile } from "../rounds.ts";
import { type Asked, ask, residentKb } from "./asking.ts";
import { Crowd } from "./crowd.ts";

const CHANGES = 15;
const CROWDS: readonly (readonly [size: number, goal: string])[] = [
  [1_000, "<= 24 ms"],
  [5_000, "<= 80 ms"],
  [10_000, "<= 160 ms"],
];
const FIRST = 1_000;
const MOST = 15_000;
const SETTLE_MS = 2_000;
const STORM = 5_000;
const STORM_MS = 60_000;

/** From sending a change of less than 1 KB to the last of so many streams having it; one crowd after another, each alone. */
export async function crowdRows(belay: Asked, control: Control, bare: Asked): Promise<string[][]> {
  const rows: string[][] = [];
  for (const [size, goal] of CROWDS) {
    const ours = await lastOf(belay.url, size, await listener(belay.url, control), changer(control));
    const least = await lastOf(bare.url, size, {}, () => fetch(`${bare.url}/change`, { method: "POST" }));
    rows.push([`change to the last of ${whole(size)} streams, p50`, goal, `${ours.toFixed(0)} ms`, `${least.toFixed(0)} ms`, ""]);
  }
  return rows;
}

/**
 * As many streams as a server holds: their memory, and what one more is told. The server is started anew, for one that held
 * others keeps their memory for a while; and a stream's memory is what all beyond the first thousand add, since the first ones
 * bring code and buffers that are there once.
 */
export async function fullRows(belay: ServerProcess, control: Control): Promise<{ rows: string[][]; server: ServerProcess }> {
  await belay.stop();
  const server = await startServer({ dataDir: belay.dataDir, port: belay.port });
  const headers = await listener(server.url, control);
  const change = changer(control);
  const crowd = await Crowd.open(server.url, FIRST, headers);
  const first = await settledKb(server, crowd, change);
  await crowd.grow(MOST - FIRST);
  const each = ((await settledKb(server, crowd, change)) - first) / (MOST - FIRST);
  const last = await crowd.last(change);
  const more = await fetch(`${server.url}/sdk/v1/stream`, { headers });
  await more.body?.cancel();
  crowd.close();
  const rows = [
    [`memory a stream, ${whole(FIRST)} to ${whole(MOST)} held`, "<= 20 KB", `${each.toFixed(1)} KB`, "", ""],
    [`change to the last of ${whole(MOST)} streams`, "", `${last.toFixed(0)} ms`, "", ""],
    ["one stream more", "503, Retry-After", `${more.status}, ${more.headers.get("retry-after") ?? "none"} s`, "", ""],
  ];
  return { rows, server };
}

/** Resident memory once the streams that are there have been used, and what opening them took is collected. */
async function settledKb(server: ServerProcess, crowd: Crowd, change: () => Promise<unknown>): Promise<number> {
  for (let n = 0; n < CHANGES; n += 1) await crowd.last(change);
  await pause(SETTLE_MS);
  return residentKb(server.pid);
}

/** A server that is killed under its clients and started again; they come back as the streams' last `retry:` said. */
export async function stormRows(belay: ServerProcess, control: Control): Promise<{ rows: string[][]; server: ServerProcess }> {
  const crowd = await Crowd.open(belay.url, STORM, await listener(belay.url, control));
  await crowd.comeBack();
  const since = performance.timeOrigin + performance.now();
  await belay.kill();
  const server = await startServer({ dataDir: belay.dataDir, port: belay.port });
  let back: number[] = [];
  while (back.length < STORM && performance.timeOrigin + performance.now() - since < 2 * STORM_MS) {
    await pause(500);
    back = await crowd.back();
  }
  crowd.close();
  const seconds = new Map<number, number>();
  for (const at of back) {
    const second = Math.floor((at - since) / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  const over = back.length < STORM ? `${whole(back.length)} came back` : `${((Math.max(...back) - since) / 1_000).toFixed(1)} s`;
  const rows = [
    [`${whole(STORM)} clients back after the server was killed`, "<= 60 s", over, "", ""],
    ["most of them in one second", "", whole(Math.max(0, ...seconds.values())), "", ""],
  ];
  return { rows, server };
}

async function lastOf(
  url: string,
  size: number,
  headers: Readonly<Record<string, string>>,
  change: () => Promise<unknown>,
): Promise<number> {
  const crowd = await Crowd.open(url, size, headers);
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n += 1) times.push(await crowd.last(change));
  crowd.close();
  return quantile(times, 0.5);
}

let made = 0;

/** Each time to another share, which nothing else sets: a change that changes nothing is none. */
function changer({ send }: Control): () => Promise<unknown> {
  return () => {
    made += 1;
    return send("PUT", `/environments/${ENVIRONMENT}/flags/flag-0/rollout`, { percentage: 5.5 + (made % 80) });
  };
}

/** What a client that holds the present revision asks with: it is sent no snapshot. */
async function listener(url: string, { sdkKey }: Control): Promise<Record<string, string>> {
  const key = { authorization: `Bearer ${sdkKey}` };
  const { etag } = await ask(url, { path: "/sdk/v1/snapshot", headers: key });
  return { ...key, "last-event-id": /\d+/.exec(etag)?.[0] ?? "" };
}
