/*
 * Servers as real processes on one PostgreSQL and one Redis, each with its own way to both, while a seed decides who is cut
 * off, silenced, stopped, killed or set to another time. What clients and writers saw is written down and looked through
 * afterwards, as a stranger to the servers would.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type BelayClient, createClient } from "@belay/sdk-node";
import {
  ADMIN_TOKEN,
  type FaultProxy,
  givenMs,
  type ServerProcess,
  seeded,
  startFaultProxy,
  startServer,
  tempDir,
} from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { withRedis } from "../bus/redis.fixture.ts";
import { withPostgres } from "./postgres.fixture.ts";

const P = "/api/v1/projects/default";
const E = `${P}/environments/production`;

type Harm = "cut" | "silenced" | "stopped" | "killed" | "clock ahead" | "clock behind";

/** Each is done in each history, in an order and to servers that the seed picks; killing takes seconds on a busy machine. */
const HARMS: readonly Harm[] = ["cut", "silenced", "stopped", "killed", "clock ahead", "clock behind", "cut", "silenced"];

const HARM_MS = 500;
const BETWEEN_MS = 200;

type Parting = "cut" | "silenced" | "stopped";

/** Then each of these is done to one server after another while the others are written to, and each must heal in time. */
const PARTINGS: readonly { readonly how: Parting; readonly forMs: number }[] = [
  { how: "cut", forMs: 0 },
  { how: "silenced", forMs: 0 },
  { how: "stopped", forMs: 0 },
  { how: "cut", forMs: 1_000 },
  { how: "silenced", forMs: 1_500 },
  { how: "stopped", forMs: 1_000 },
];

const HEALED_WITHIN_MS = 1_000;

/** A server of its own, its own ways to the engines, and an application that follows it. */
interface Node {
  server: ServerProcess;
  readonly ways: readonly FaultProxy[];
  readonly env: Readonly<Record<string, string>>;
  client: BelayClient | undefined;
  /** Revisions that each of its applications decided with, in order. */
  readonly decided: number[][];
  /** What this server gave to whoever asked, in order; a process that was killed begins a new list. */
  served: Served[][];
}

/** A snapshot as it was served: its revision, and all its rules as one text. */
interface Served {
  readonly revision: number;
  readonly rules: string;
}

interface Acknowledged {
  readonly reason: string;
  readonly revision: number;
}

withPostgres("histories", (postgres) => {
  withRedis("of servers on one PostgreSQL and one Redis", (redis) => {
    it.each([
      { count: 2, seed: 20_261_123 },
      { count: 3, seed: 4_400 },
    ])(
      "$count servers, seed $seed: no acknowledged write is lost, no revision falls or differs, all end alike in less than a second",
      async ({ count, seed }) => {
        const { dice, nodes, first, sdkKey } = await installation(count, seed);
        const before = await revisionAt(first);
        const acknowledged: Acknowledged[] = [];
        let isOver = false;
        const during = async (turn: (at: number) => Promise<void>, everyMs: number): Promise<void> => {
          for (let at = 0; !isOver; at++) {
            await turn(at);
            await sleep(everyMs);
          }
        };
        const writers = nodes.map((node, of) =>
          during(async (at) => {
            const reason = `writer ${of} turn ${at}`;
            const revision = await write(node, reason, (of * 37 + at) % 101);
            if (revision !== undefined) acknowledged.push({ reason, revision });
          }, 20),
        );
        const readers = nodes.map((node) => during(() => read(node, sdkKey), 25));
        for (const harm of dice.shuffled(HARMS)) {
          await suffer(dice.pick(nodes), harm);
          await sleep(BETWEEN_MS);
        }
        const areAlike = async (): Promise<boolean> => new Set(await Promise.all(nodes.map(revisionAt))).size === 1;

        // Applications of before may be waiting for their next attempt; these begin connected.
        const healedMs: number[] = [];
        for (const [at, parting] of dice.shuffled(PARTINGS).entries()) {
          const parted = nodes[at % nodes.length] as Node;
          const other = nodes[(at + 1) % nodes.length] as Node;
          const application = follow(parted, sdkKey);
          onTestFinished(() => application.close({ deadlineMs: 100 }).then(() => undefined));
          await application.ready();
          await part(parted, parting.how);
          const made = await writeOnce(other, `parting ${at}`, 50.1 + at);
          acknowledged.push(made);
          if (parting.how !== "stopped") expect(await servedAt(parted, sdkKey)).toBeLessThan(made.revision);
          await sleep(parting.forMs);
          const healed = givenMs([parted.server.pid], () => untilAt(made.revision, parted, application, sdkKey));
          await rejoin(parted, parting.how);
          healedMs.push(Math.round(await healed));
        }
        isOver = true;
        await Promise.all([...writers, ...readers]);
        await expect.poll(areAlike, { timeout: 30_000, interval: 20 }).toBe(true);
        const last = await revisionAt(first);
        const decided = (): (number | undefined)[] => nodes.map(({ client }) => client?.revision);
        await expect.poll(decided, { timeout: 60_000 }).toEqual(nodes.map(() => last));
        process.stdout.write(
          `${count} servers: ${healedMs.join(", ")} ms after healing, ${acknowledged.length} writes acknowledged\n`,
        );

        expect(healedMs).toHaveLength(PARTINGS.length);
        expect(healedMs.filter((ms) => ms >= HEALED_WITHIN_MS)).toEqual([]);
        // The log has every revision once, and every write that was acknowledged under the revision that was answered.
        const changes = await allChanges(first);
        expect(changes.map(({ revision }) => revision).sort((a, b) => a - b)).toEqual(
          Array.from({ length: last - before }, (_, at) => before + 1 + at),
        );
        const kept = new Map(changes.map(({ reason, revision }) => [reason, revision]));
        expect(acknowledged.length).toBeGreaterThan(20);
        expect(acknowledged.filter(({ reason, revision }) => kept.get(reason) !== revision)).toEqual([]);
        for (const node of nodes) {
          const lives = node.served.map((served) => served.map(({ revision }) => revision));
          for (const life of [...lives, ...node.decided]) expect(life).toEqual(ascending(life));
        }
        // Whoever served a revision served the same rules under it.
        const rules = new Map<number, Set<string>>();
        for (const served of nodes.flatMap((node) => node.served.flat())) {
          rules.set(served.revision, (rules.get(served.revision) ?? new Set()).add(served.rules));
        }
        expect(rules.size).toBeGreaterThan(20);
        expect([...rules].filter(([, texts]) => texts.size > 1)).toEqual([]);
      },
      180_000,
    );

    async function installation(count: number, seed: number) {
      const database = await postgres().database();
      const starts = Array.from({ length: count }, () => startNode(database, redis().url));
      // Where one does not start, the others are ended all the same.
      await Promise.allSettled(starts);
      const nodes = await Promise.all(starts);
      const first = nodes[0] as Node;
      const { secret } = await answerOf(ask(first, "POST", `${P}/keys`, { environment: "production", kind: "server" }));
      await ask(first, "POST", `${P}/flags`, { key: "checkout", type: "boolean" });
      for (const node of nodes) node.client = follow(node, secret);
      await Promise.all(nodes.map(({ client }) => client?.ready()));
      return { dice: seeded(seed), nodes, first, sdkKey: secret as string };
    }
  });
});

async function part({ ways, server }: Node, how: Parting): Promise<void> {
  if (how === "stopped") process.kill(server.pid, "SIGSTOP");
  else if (how === "cut") await Promise.all(ways.map((way) => way.refuse()));
  else for (const { faults } of ways) faults.isHalfOpen = true;
}

async function rejoin({ ways, server }: Node, how: Parting): Promise<void> {
  if (how === "stopped") process.kill(server.pid, "SIGCONT");
  else if (how === "cut") await Promise.all(ways.map((way) => way.restore()));
  else for (const { faults } of ways) faults.isHalfOpen = false;
}

/** At a server that nothing ails; two who write at once may still make it decide anew, or find its change made. */
async function writeOnce(node: Node, name: string, percentage: number): Promise<Acknowledged> {
  for (let turn = 0; turn < 20; turn++) {
    const reason = `${name} turn ${turn}`;
    const revision = await write(node, reason, percentage + turn / 100);
    if (revision !== undefined) return { reason, revision };
  }
  return expect.unreachable("a server that nothing ails refused 20 writes in a row");
}

/** Until a server serves a revision and an application that follows it decides with it. */
async function untilAt(revision: number, node: Node, application: BelayClient, sdkKey: string): Promise<void> {
  const reaches = { timeout: 30_000, interval: 10 };
  await Promise.all([
    expect.poll(() => servedAt(node, sdkKey), reaches).toBeGreaterThanOrEqual(revision),
    expect.poll(() => application.revision, reaches).toBeGreaterThanOrEqual(revision),
  ]);
}

async function startNode(database: string, redis: string): Promise<Node> {
  const addresses = [new URL(database), new URL(redis)] as const;
  const ways = await Promise.all(addresses.map(({ port }) => startFaultProxy(Number(port))));
  for (const [at, way] of ways.entries()) (addresses[at] as URL).port = String(way.port);
  const env = { BELAY_DATABASE_URL: addresses[0].href, BELAY_REDIS_URL: addresses[1].href };
  const folder = await tempDir("history");
  onTestFinished(() => folder.remove());
  const server = await startServer({ env, dataDir: join(folder.path, "data"), hasMovableClock: true });
  const node: Node = { server, ways, env, client: undefined, decided: [], served: [[]] };
  onTestFinished(async () => {
    await node.client?.close({ deadlineMs: 100 });
    process.kill(node.server.pid, "SIGCONT");
    await node.server.kill();
    await Promise.all(ways.map((way) => way.close()));
  });
  return node;
}

function follow(node: Node, sdkKey: string): BelayClient {
  const logger = { warn: () => undefined, error: () => undefined };
  const client = createClient({ url: node.server.url, sdkKey, logger, pollIntervalMs: 1_000 });
  const decided: number[] = [];
  node.decided.push(decided);
  client.on("change", ({ revision }) => decided.push(revision));
  return client;
}

/** One harm, then it is over: another one may come at once. A clock that jumped stays as it is. */
async function suffer(node: Node, harm: Harm): Promise<void> {
  const { ways, server } = node;
  switch (harm) {
    case "cut":
      await Promise.all(ways.map((way) => way.refuse()));
      await sleep(HARM_MS);
      await Promise.all(ways.map((way) => way.restore()));
      return;
    case "silenced":
      for (const { faults } of ways) faults.isHalfOpen = true;
      await sleep(HARM_MS);
      for (const { faults } of ways) faults.isHalfOpen = false;
      return;
    case "stopped":
      process.kill(server.pid, "SIGSTOP");
      await sleep(HARM_MS);
      process.kill(server.pid, "SIGCONT");
      return;
    case "killed": {
      await server.kill();
      node.served.push([]);
      const { port, dataDir } = server;
      node.server = await startServer({ env: node.env, dataDir, port, hasMovableClock: true });
      return;
    }
    case "clock ahead":
      return server.moveClock(3_600_000);
    case "clock behind":
      return server.moveClock(-86_400_000);
  }
}

async function read(node: Node, sdkKey: string): Promise<void> {
  const life = node.served.at(-1);
  try {
    const headers = { authorization: `Bearer ${sdkKey}` };
    const answer = await fetch(`${node.server.url}/sdk/v1/snapshot`, { headers, signal: AbortSignal.timeout(10_000) });
    if (answer.status !== 200) return;
    const { revision, flags } = (await answer.json()) as { revision: number; flags: unknown };
    // Asked of a process that was killed meanwhile, it is the last word of that one.
    life?.push({ revision, rules: JSON.stringify(flags) });
  } catch {
    // Nobody was there.
  }
}

function ask({ server }: Node, method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const json = { ...headers, "content-type": "application/json" };
  const signal = AbortSignal.timeout(10_000);
  const more = body === undefined ? { headers } : { headers: json, body: JSON.stringify(body) };
  return fetch(`${server.url}${path}`, { method, signal, ...more });
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
async function answerOf(response: Promise<Response>): Promise<any> {
  return (await response).json();
}

/** The revision a write was acknowledged with; `undefined` where nothing is known of it. */
async function write(node: Node, reason: string, percentage: number): Promise<number | undefined> {
  try {
    const answer = await ask(node, "PUT", `${E}/flags/checkout/rollout`, { percentage, reason });
    const body = (await answer.json()) as { revision: number; from: number };
    // Where somebody else had set the same nothing was changed.
    return answer.status === 200 && body.from !== percentage ? body.revision : undefined;
  } catch {
    return undefined;
  }
}

async function servedAt(node: Node, sdkKey: string): Promise<number> {
  const headers = { authorization: `Bearer ${sdkKey}` };
  return (await answerOf(fetch(`${node.server.url}/sdk/v1/snapshot`, { headers }))).revision;
}

async function revisionAt(node: Node): Promise<number> {
  return (await answerOf(ask(node, "GET", E))).revision;
}

async function allChanges(node: Node): Promise<{ reason: string; revision: number }[]> {
  const changes: { reason: string; revision: number }[] = [];
  let cursor = "";
  do {
    const page = await answerOf(ask(node, "GET", `${P}/changes?action=rollout.set&limit=100${cursor}`));
    changes.push(...page.items);
    cursor = page.next === undefined ? "" : `&cursor=${page.next}`;
  } while (cursor !== "");
  return changes;
}

const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
