import { fileURLToPath } from "node:url";
import { type ServerProcess, tempDir } from "@belay/testkit";
import { ENVIRONMENT } from "../control.ts";
import { quantile } from "../rounds.ts";
import { CONNECTIONS, type Cost, costOf, expectStatus, said } from "./asking.ts";
import { type Child, startChild } from "./child.ts";
import type { Unleash } from "./unleash.ts";

const ROUNDS = 3;
const ALONE = 200;
const TOGETHER = 1_500;
/** Unleash writes so slowly that fewer must do. */
const OF_UNLEASH = 60;

/** One change at a server of this process id, and how long a row of them takes. */
interface Writer {
  readonly pid: number;
  readonly write: () => Promise<void>;
  readonly isSlow: boolean;
}

/**
 * Changes of rollouts: one writer after another, eight at once, and eight while pages are served. Beside them the least
 * that a durable write can cost (`by-hand.ts`), in the same interleaved rounds.
 */
export async function writeRows(belay: ServerProcess, unleash: Unleash | undefined, flags: number): Promise<string[][]> {
  const folder = await tempDir("by-hand");
  const program = fileURLToPath(new URL("./by-hand.js", import.meta.url));
  const hand = await startChild(program, { env: { FOLDER: folder.path } });
  const writers = [ofBelay(belay, flags), byHand(hand, flags), unleash && ofUnleash(unleash, flags)];
  const rows = [
    ["a change through the API, p50 / p99", "<= 2 / 10 ms", ...(await inRounds(writers, alone)).map(saidTimes)],
    [`changes of ${CONNECTIONS} writers at once`, ">= 1,500/s", ...(await inRounds(writers, together)).map(said)],
  ];
  await showToPages(belay, flags / 2);
  const paged = await inRounds(writers.slice(0, 1), together);
  rows.push(["the same, half the flags followed by pages", "", ...paged.map(said), "", ""]);
  await hand.stop();
  await folder.remove();
  return rows;
}

/** What each writer took in each of the rounds; nothing of who is not in this run. */
async function inRounds<T>(writers: readonly (Writer | undefined)[], take: (writer: Writer) => Promise<T>): Promise<T[][]> {
  const taken = writers.map((): T[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, writer] of writers.entries()) if (writer !== undefined) taken[index]?.push(await take(writer));
  }
  return taken;
}

async function alone({ write, isSlow }: Writer): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < (isSlow ? OF_UNLEASH : ALONE); n += 1) {
    const since = performance.now();
    await write();
    times.push(performance.now() - since);
  }
  return times;
}

function together({ pid, write, isSlow }: Writer): Promise<Cost> {
  return costOf(pid, write, isSlow ? OF_UNLEASH : TOGETHER);
}

function saidTimes(rounds: readonly (readonly number[])[]): string {
  const times = rounds.flat();
  return times.length === 0 ? "" : `${quantile(times, 0.5).toFixed(1)} / ${quantile(times, 0.99).toFixed(1)} ms`;
}

function ofBelay({ url, pid, adminToken }: ServerProcess, flags: number): Writer {
  const place = `${url}/api/v1/projects/default/environments/${ENVIRONMENT}/flags`;
  return { pid, write: changes(flags, place, { authorization: `Bearer ${adminToken}` }), isSlow: false };
}

function byHand({ url, pid }: Child, flags: number): Writer {
  return { pid, write: changes(flags, `${url}/flags`, {}), isSlow: false };
}

function ofUnleash({ pid, change }: Unleash, flags: number): Writer {
  let made = 0;
  const write = (): Promise<void> => {
    made += 1;
    return change(made % flags, made % 101);
  };
  return { pid, write, isSlow: true };
}

/** Another flag and another percentage at every call. */
function changes(flags: number, place: string, own: Readonly<Record<string, string>>): () => Promise<void> {
  const headers = { ...own, "content-type": "application/json" };
  let made = 0;
  return () => {
    made += 1;
    const body = JSON.stringify({ percentage: made % 101 });
    return expectStatus(place, { method: "PUT", path: `/flag-${made % flags}/rollout`, headers, body: () => body });
  };
}

/** Shows flags to pages, and asks as one of them: from then on what pages hold is kept up to date. */
async function showToPages({ url, adminToken }: ServerProcess, flags: number): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
  const place = `${url}/api/v1/projects/default`;
  const shown = JSON.stringify({ clientSide: true });
  for (let n = 0; n < flags; n += 1)
    await expectStatus(place, { method: "PATCH", path: `/flags/flag-${n}`, headers, body: () => shown });
  const body = JSON.stringify({ environment: ENVIRONMENT, kind: "client", name: "pages" });
  const made = (await (await fetch(`${place}/keys`, { method: "POST", headers, body })).json()) as { readonly secret: string };
  await expectStatus(url, { path: "/sdk/v1/snapshot", headers: { authorization: `Bearer ${made.secret}` } });
}
