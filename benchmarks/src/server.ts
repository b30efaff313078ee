// What a server's answers cost it: snapshots of 1,000 flags, all flags over OFREP, changes, streams, its start. Load comes from
// this process, the server is another one, and what it used of the processors is read from /proc, so it runs on Linux only.
import { readFileSync } from "node:fs";
import { Agent, get, type IncomingMessage, request } from "node:http";
import { startServer, tempDir } from "@belay/testkit";
import { type Control, connectControl, ENVIRONMENT } from "./control.ts";
import { report, table, whole } from "./page.ts";
import { quantile } from "./rounds.ts";

const FLAGS = 1_000;
const CONNECTIONS = 8;
const REQUESTS = 3_000;
const WRITES = 1_500;
const CHANGES = 20;
const CROWDS = [1_000, 5_000];
/** Linux counts processor time in hundredths of a second. */
const TICK_US = 10_000;

interface Answer {
  readonly status: number;
  readonly bytes: number;
  readonly etag: string;
}

interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => string;
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const dir = await tempDir("benchmark");
let server = await startServer({ dataDir: dir.path });
const control = await connectControl(server);
for (let n = 0; n < FLAGS; n += 1) await control.send("POST", "/flags", { key: `flag-${n}` });
const rows = [...(await answers()), ...(await writes(control)), ...(await streams(control)), ...(await start())];
agent.destroy();
await server.stop();
await dir.remove();
report("server", table(["figure", "goal", "measured"], rows));

/** Microseconds of the server's processor time a request, and requests a second of eight connections. */
async function answers(): Promise<string[][]> {
  const key = { authorization: `Bearer ${control.sdkKey}` };
  const path = "/sdk/v1/snapshot";
  const { etag } = await ask({ path, headers: key });
  let users = 0;
  const context = (): string => {
    users += 1;
    return JSON.stringify({ context: { targetingKey: `user-${users}` } });
  };
  const scenarios: readonly (readonly [string, string, number, Ask])[] = [
    [`snapshot of ${FLAGS} flags`, "150 us", 200, { path, headers: key }],
    ["the same, gzip", "60 us", 200, { path, headers: { ...key, "accept-encoding": "gzip" } }],
    ["the same, unchanged: 304", "40 us", 304, { path, headers: { ...key, "if-none-match": etag } }],
    [
      `${FLAGS} flags for one user over OFREP`,
      "700 us",
      200,
      {
        method: "POST",
        path: "/ofrep/v1/evaluate/flags",
        headers: { ...key, "content-type": "application/json" },
        body: context,
      },
    ],
  ];
  const found: string[][] = [];
  for (const [name, goal, status, what] of scenarios) {
    await load(REQUESTS / 3, what, status);
    const before = ticksOf(server.pid);
    const since = performance.now();
    await load(REQUESTS, what, status);
    const seconds = (performance.now() - since) / 1_000;
    const us = ((ticksOf(server.pid) - before) * TICK_US) / REQUESTS;
    found.push([name, `<= ${goal}`, `${us.toFixed(0)} us of CPU, ${whole(REQUESTS / seconds)}/s`]);
  }
  return found;
}

async function load(count: number, what: Ask, status: number): Promise<void> {
  let left = count;
  const connection = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      const answer = await ask(what);
      if (answer.status !== status) throw new Error(`${what.path} answered ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

/** Changes of rollouts: one writer after another, then eight at once. */
async function writes({ send }: Control): Promise<string[][]> {
  const write = async (n: number): Promise<number> => {
    const since = performance.now();
    await send("PUT", `/environments/${ENVIRONMENT}/flags/flag-${n % FLAGS}/rollout`, { percentage: n % 101 });
    return performance.now() - since;
  };
  const alone: number[] = [];
  for (let n = 0; n < 300; n += 1) alone.push(await write(n));
  let next = 300;
  const since = performance.now();
  const writer = async (): Promise<void> => {
    for (; next < 300 + WRITES; ) {
      next += 1;
      await write(next);
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  const rate = WRITES / ((performance.now() - since) / 1_000);
  const [p50, p99] = [quantile(alone, 0.5), quantile(alone, 0.99)];
  return [
    ["a change through the API, p50 / p99", "<= 2 / 10 ms", `${p50.toFixed(1)} / ${p99.toFixed(1)} ms`],
    ["changes of 8 writers at once", ">= 1,500/s", `${whole(rate)}/s`],
  ];
}

/** From sending a change to the last of so many streams having it, and what a stream takes of memory. */
async function streams({ send, sdkKey }: Control): Promise<string[][]> {
  const found: string[][] = [];
  const open: IncomingMessage[] = [];
  const { etag } = await ask({ path: "/sdk/v1/snapshot", headers: { authorization: `Bearer ${sdkKey}` } });
  const held = /\d+/.exec(etag)?.[0] ?? "";
  const before = residentKb(server.pid);
  for (const crowd of CROWDS) {
    while (open.length < crowd) {
      open.push(...(await Promise.all(Array.from({ length: Math.min(100, crowd - open.length) }, () => listen(sdkKey, held)))));
    }
    const times: number[] = [];
    for (let change = 0; change < CHANGES; change += 1) {
      const heard = Promise.all(open.map(nextFrame));
      const since = performance.now();
      await send("PUT", `/environments/${ENVIRONMENT}/flags/flag-0/rollout`, { percentage: change % 2 === 0 ? 10 : 90 });
      await heard;
      times.push(performance.now() - since);
    }
    const goal = crowd === 1_000 ? "<= 24 ms" : "<= 80 ms";
    found.push([`change to the last of ${whole(crowd)} streams, p50`, goal, `${quantile(times, 0.5).toFixed(0)} ms`]);
  }
  const each = (residentKb(server.pid) - before) / open.length;
  for (const stream of open) stream.destroy();
  return [...found, ["memory a stream", "<= 20 KB", `${each.toFixed(1)} KB`]];
}

function listen(sdkKey: string, held: string): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${sdkKey}`, "last-event-id": held };
  return new Promise((resolve, reject) => {
    get(`${server.url}/sdk/v1/stream`, { agent: false, headers }, (answer) => {
      answer.resume().on("error", () => undefined);
      if (answer.statusCode === 200) resolve(answer);
      else reject(new Error(`a stream answered ${answer.statusCode}`));
    }).on("error", reject);
  });
}

function nextFrame(stream: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const hear = (chunk: Buffer): void => {
      if (!chunk.includes("event: change")) return;
      stream.off("data", hear);
      resolve();
    };
    stream.on("data", hear);
  });
}

/** A start on the data folder as it is by now, and what the process takes when nobody asks anything. */
async function start(): Promise<string[][]> {
  const { dataDir } = server;
  const copy = await startAgain(dataDir);
  return [
    [`start with ${FLAGS} flags until it is ready, Node's own start included`, "<= 500 ms", `${whole(copy.ms)} ms`],
    ["memory after that start", "<= 120 MB", `${(residentKb(server.pid) / 1_024).toFixed(0)} MB`],
  ];
}

async function startAgain(dataDir: string): Promise<{ readonly ms: number }> {
  await server.stop();
  const since = performance.now();
  server = await startServer({ dataDir });
  return { ms: performance.now() - since };
}

function ask({ method = "GET", path, headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { method, agent, headers }, (answer) => {
      let bytes = 0;
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, bytes, etag: answer.headers.etag ?? "" }));
    });
    sent.on("error", reject).end(body?.());
  });
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function residentKb(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
