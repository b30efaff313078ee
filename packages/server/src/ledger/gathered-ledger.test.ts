import { afterEach, beforeEach, expect, it } from "vitest";
import type { EventStoreStatus, LedgerLine } from "../store/events/event-store.ts";
import { MemoryLedgers } from "../store/ledgers/ledgers.fixture.ts";
import { GatheredLedger } from "./gathered-ledger.ts";

const PLACE = { project: "shop", environment: "production" };
const DAY_MS = 86_400_000;
const clock = { now: 0 };
let kept: MemoryLedgers;
let nodes: Node[];

/** A server with what its event store would answer. */
interface Node {
  readonly ledger: GatheredLedger;
  readonly line: { isCut: boolean };
  readonly faults: unknown[];
  lines: LedgerLine[];
  metricEvents: number;
  accepted: number;
  asked: number;
  /** How often it was told that the others know whose events it has. */
  settled: number;
}

beforeEach(() => {
  clock.now = 50 * DAY_MS;
  kept = new MemoryLedgers();
  nodes = [];
});
afterEach(() => Promise.all(nodes.map(({ ledger }) => ledger.close())));

function boot(server: string, from: readonly string[] = []): Node {
  const line = { isCut: false };
  const faults: unknown[] = [];
  const own = { lines: [] as LedgerLine[], metricEvents: 0, accepted: 0, asked: 0, settled: 0 };
  const ledger = new GatheredLedger({
    events: {
      ledger: async ({ environments, experiment, release }) => {
        own.asked += 1;
        return own.lines.filter(
          (one) =>
            (environments?.includes(one.environment) ?? true) &&
            (experiment === undefined || one.experiment === experiment) &&
            (release === undefined || one.release === release),
        );
      },
      estimate: async ({ environments }) => ({ rows: environments?.[0] === "production" ? own.metricEvents : 0, lagMs: 0 }),
      status: () => ({ accepted: own.accepted }) as EventStoreStatus,
    },
    store: kept.join(line),
    server,
    inheritance: {
      from,
      settle: async () => {
        own.settled += 1;
      },
    },
    projects: () => new Map([["shop", ["production", "staging"]]]),
    now: () => clock.now,
    onFault: (error) => faults.push(error),
    // Turns are taken when a test says so.
    restMs: 2 ** 30,
  });
  const node = Object.assign(own, { ledger, line, faults });
  nodes.push(node);
  return node;
}

const line = (more: Partial<LedgerLine>): LedgerLine => ({
  ...{ environment: "production", instance: "i", experiment: undefined, release: "checkout", variant: "on" },
  ...{ produced: 0, dropped: 0, stored: 0, duplicates: 0, seenAtMs: clock.now, ...more },
});
const take = (node: Node, lines: LedgerLine[], metricEvents = 0): void => {
  Object.assign(node, { lines, metricEvents, accepted: node.accepted + 1 });
};
const turns = async (...of: Node[]): Promise<void> => {
  for (const { ledger } of of) await ledger.turn();
};
const counts = async (node: Node, more: object = {}): Promise<number[][]> =>
  (await node.ledger.ledger({ project: "shop", ...more })).map(({ produced, stored }) => [produced, stored]);

it("has one instance's exposures at each of two servers, and says whose numbers are in it", async () => {
  const [a, b] = [boot("a"), boot("b")];
  take(a, [line({ produced: 10, stored: 6 })]);
  take(b, [line({ produced: 12, stored: 6 }), line({ environment: "staging", release: "other", produced: 1, stored: 1 })]);
  await turns(a, b, a);
  expect([await counts(a, { environments: ["production"] }), await counts(b, { release: "checkout" })]).toEqual([
    [[12, 12]],
    [[12, 12]],
  ]);
  expect(await counts(a, { release: "other" })).toEqual([[1, 1]]);
  expect(await counts(a, { experiment: "checkout" })).toEqual([]);
  expect([a.ledger.inLedger(PLACE), b.ledger.inLedger(PLACE)]).toEqual([
    [{ server: "b", at: clock.now }],
    [{ server: "a", at: clock.now }],
  ]);
  expect([a.ledger.elsewhere(PLACE), b.ledger.elsewhere({ ...PLACE, environment: "staging" })]).toEqual([["b"], []]);
});

it("names a server that has metric events alone, and none that has nothing", async () => {
  const [a, b, c] = [boot("a"), boot("b"), boot("c")];
  take(b, [], 3);
  await turns(a, b, c, a);
  expect([a.ledger.elsewhere(PLACE), a.ledger.inLedger(PLACE)]).toEqual([["b"], []]);
  expect(a.ledger.elsewhere({ project: "shop" })).toEqual(["b"]);
});

it("goes on with what it last heard while the store is away, and catches up", async () => {
  const [a, b] = [boot("a"), boot("b")];
  take(b, [line({ produced: 5, stored: 5 })]);
  await turns(b, a);
  a.line.isCut = true;
  take(b, [line({ produced: 9, stored: 9 })]);
  await turns(b, a);
  expect([await counts(a), a.faults.length]).toEqual([[[5, 5]], 1]);
  a.line.isCut = false;
  await turns(a);
  expect(await counts(a)).toEqual([[9, 9]]);
});

it("counts a server that is gone for as long as instances are remembered, and names it for longer", async () => {
  const [a, b] = [boot("a"), boot("b")];
  take(b, [line({ produced: 5, stored: 5 })]);
  await turns(b, a);
  clock.now += 7 * DAY_MS;
  expect(await counts(a)).toEqual([[5, 5]]);
  clock.now += 1;
  expect([await counts(a), a.ledger.inLedger(PLACE), a.ledger.elsewhere(PLACE)]).toEqual([[], [], ["b"]]);
  clock.now += 400 * DAY_MS;
  await turns(a);
  expect(a.ledger.elsewhere(PLACE)).toEqual([]);
});

it("reads its events only where there is news, or ten minutes have gone", async () => {
  const a = boot("a");
  await turns(a);
  const { asked } = a;
  await turns(a, a, a);
  expect(a.asked).toBe(asked);
  a.accepted += 1;
  await turns(a);
  expect(a.asked).toBe(asked + 1);
  clock.now += 600_000;
  await turns(a);
  expect(a.asked).toBe(asked + 2);
});

it("takes back what it told once its events are forgotten", async () => {
  const [a, b] = [boot("a"), boot("b")];
  take(b, [line({ produced: 5, stored: 5 })]);
  await turns(b, a);
  expect(a.ledger.elsewhere(PLACE)).toEqual(["b"]);
  take(b, []);
  await turns(b, a);
  expect([a.ledger.elsewhere(PLACE), await counts(a)]).toEqual([[], []]);
});

/** A server that took in 10 exposures of one instance and 3 of another, and one to which the first instance went on. */
async function bootTheirs(): Promise<{ readonly a: Node; readonly other: Node }> {
  const [a, other] = [boot("a"), boot("other")];
  take(a, [line({ produced: 10, stored: 10 }), line({ instance: "late", stored: 3 })], 5);
  take(other, [line({ produced: 4, stored: 2 })]);
  await turns(a, other);
  return { a, other };
}
const inBackup = (node: Node): void => take(node, [line({ produced: 6, stored: 6 })], 2);

it("counts what a restored server has once, and as lost what arrived after its backup", async () => {
  const { other } = await bootTheirs();
  await turns(other);
  expect(await counts(other)).toEqual([
    [10, 12],
    [0, 3],
  ]);
  const heir = boot("heir", ["a"]);
  inBackup(heir);
  await turns(heir, other, heir);
  const expected = [
    [10, 8],
    [3, 0],
  ];
  expect([await counts(other), await counts(heir)]).toEqual([expected, expected]);
  expect(other.ledger.elsewhere(PLACE)).toEqual(["heir"]);
  expect(heir.settled).toBe(1);
});

it("takes a server at its word that is still there though another one was restored from its backup", async () => {
  const { a, other } = await bootTheirs();
  const heir = boot("heir", ["a"]);
  inBackup(heir);
  await turns(heir, a, a, heir, a, other);
  expect(other.ledger.elsewhere(PLACE)).toEqual(["a", "heir"]);
  // Both have them: nobody can tell that of these 18 six are the same.
  expect(await counts(other)).toEqual([
    [10, 18],
    [0, 3],
  ]);
});

it("tells whose events it has as soon as the store is there", async () => {
  const { other } = await bootTheirs();
  const heir = boot("heir", ["a"]);
  heir.line.isCut = true;
  inBackup(heir);
  await turns(heir, heir);
  expect(heir.settled).toBe(0);
  heir.line.isCut = false;
  await turns(heir, heir, other);
  expect([heir.settled, other.ledger.elsewhere(PLACE)]).toEqual([1, ["heir"]]);
});

it("inherits from one that was restored from the same backup before, and takes both at their word", async () => {
  const { other } = await bootTheirs();
  const first = boot("first", ["a"]);
  inBackup(first);
  await turns(first);
  const second = boot("second", ["a"]);
  inBackup(second);
  await turns(second, other);
  expect(await counts(other)).toEqual([
    [10, 8],
    [3, 0],
  ]);
  expect(other.ledger.elsewhere(PLACE)).toEqual(["second"]);
  await turns(first, first, other);
  expect(other.ledger.elsewhere(PLACE)).toEqual(["first", "second"]);
});
