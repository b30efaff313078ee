import { seeded } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import type { IncomingBatch } from "../store/events/index.ts";
import { MemorySightings } from "../store/sightings/sightings.fixture.ts";
import { eventsIn, type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { markOf, pointOf } from "./placement.ts";
import { ERRORS, T0 } from "./release.fixture.ts";
import { Watchtower } from "./watchtower.ts";

const ID = { project: "default", environment: "production", key: "checkout" };
const PPM = 100_000;
const ORDERS = {
  ...ERRORS,
  metric: "order",
  measure: { kind: "values", event: "order", cap: 400, scale: 5 },
  harm: "decrease",
} as const;

const ON_PHONES = {
  ...ERRORS,
  metric: "phone-errors",
  measure: { ...ERRORS.measure, filters: [{ property: "os", op: "in", value: ["ios"] }] },
  dryRun: true,
} as const;

let server: ReleaseServer;
let salt: string;
let kept: MemorySightings;
const open: Watchtower[] = [];

/** A server of its own: its events, its watch. */
interface Node {
  readonly batches: IncomingBatch[];
  readonly line: { isCut: boolean };
  readonly verdicts: number[];
  tower: Watchtower;
}

beforeEach(async () => {
  server = await releaseServer();
  kept = new MemorySightings();
  await server.ask("POST", `${P}/flags`, { key: "checkout" });
  const stages = [10, 100].map((percentage) => ({
    name: `${percentage} %`,
    percentage,
    hold: { minDurationS: 3_600 },
    gates: [],
  }));
  const draft = { key: "checkout", flag: "checkout", stages, guardrails: [ERRORS, ORDERS, ON_PHONES], alertRoutes: ["slack:#r"] };
  await server.ask("POST", `${E}/releases`, draft);
  await server.ask("POST", `${E}/releases/checkout/ready`, {});
  await server.ask("POST", `${E}/releases/checkout/start`, {});
  salt = (await server.ask("GET", `${P}/flags/checkout`)).body.spaces.share.salt;
});
afterEach(async () => {
  for (const tower of open.splice(0)) await tower.close();
  await server.close();
});

function towerOf(node: Pick<Node, "batches" | "line" | "verdicts">, writer: string | undefined): Watchtower {
  const sharing = writer === undefined ? {} : { sharing: { store: kept.join(node.line), writer, everyMs: 10, paceMs: 1 } };
  const tower = new Watchtower({
    control: server.control,
    events: eventsIn(node.batches),
    now: () => server.clock.now,
    onVerdict: (_, detectedAt) => node.verdicts.push(detectedAt),
    onFault: () => undefined,
    ...sharing,
  });
  open.push(tower);
  return tower;
}

function nodeOf(writer: string | undefined): Node {
  const parts = { batches: [], line: { isCut: false }, verdicts: [] };
  return { ...parts, tower: towerOf(parts, writer) };
}

function take(node: Node, batch: Pick<IncomingBatch, "exposures" | "metrics">): void {
  const head = { project: "default", environment: "production", instance: "i", sdk: "test/1", batchId: "b", clockOffsetMs: 0 };
  const nothing = { attributes: [], properties: [], counts: [], ledger: [] };
  const whole = { ...head, ...nothing, receivedAtMs: server.clock.now, ...batch };
  node.batches.push(whole);
  node.tower.count(whole);
}

const settled = (node: Node, other: Node): Promise<void> =>
  expect.poll(() => node.tower.reading(ID), { timeout: 20_000, interval: 2 }).toEqual(other.tower.reading(ID));

describe("watches of several servers", () => {
  it("know at each step what one would that saw all of it, whoever saw which unit, and after one was started anew", async () => {
    const alone = nodeOf(undefined);
    const nodes = [nodeOf("a"), nodeOf("b")];
    await expect.poll(() => [alone, ...nodes].every(({ tower }) => tower.reading(ID) !== undefined)).toBe(true);
    const epoch = server.control.workspace.projects.get("default")?.environments.get("production")?.revision ?? 0;
    const dice = seeded(20_261_123);
    // Named so that the same ones are treated whatever salt the flag got.
    const [treated, control] = [unitsOf(60, true), unitsOf(340, false)];
    for (let step = 0; step < 40; step += 1) {
      server.clock.now = T0 + step * 5 * 60_000;
      const batches = Array.from({ length: 12 }, (_, at) => {
        const isTreated = dice.below(8) === 0;
        const unit = dice.pick(isTreated ? treated : control);
        const base = { seq: 100 * step + at, timeMs: server.clock.now, unit };
        const exposure = {
          ...base,
          flag: "checkout",
          variant: isTreated ? "on" : "off",
          release: "checkout",
          epoch,
          revision: epoch,
        };
        // What a unit does is the same wherever it is seen: the first value counts, and which is first differs by server.
        const metrics = [
          { ...base, name: "order", value: 20 + pointOf("value", unit) / 20_000 - (isTreated ? 3 : 0) },
          ...(dice.below(isTreated ? 3 : 12) === 0
            ? [{ ...base, name: "error", properties: { os: dice.pick(["ios", "other"]) } }]
            : []),
        ];
        return { exposures: [exposure], metrics };
      });
      for (const batch of batches) {
        take(alone, batch);
        take(dice.pick(nodes), batch);
        // Some units are seen by both.
        if (dice.below(4) === 0) for (const node of nodes) take(node, batch);
      }
      if (step === 20) {
        // Killed, and started anew on its own events.
        const [, killed] = nodes as [Node, Node];
        await killed.tower.close();
        killed.tower = towerOf(killed, "b-anew");
      }
      if (step % 10 === 5) for (const { line } of nodes) line.isCut = true;
      if (step % 10 === 6) for (const { line } of nodes) line.isCut = false;
      if (step % 10 !== 5) for (const node of nodes) await settledButRounding(node, alone);
    }
    const [errors, , phones] = alone.tower.reading(ID)?.guardrails ?? [];
    expect(errors?.verdict).toBe("rollback");
    expect([Number(phones?.logE) > 0, Number(phones?.logE) < Number(errors?.logE)]).toEqual([true, true]);
  }, 60_000);

  it("find harm that is split over two with the event that would decide on one, and say when that was received", async () => {
    const [alone, one, other] = [nodeOf(undefined), nodeOf("a"), nodeOf("b")];
    await expect.poll(() => [alone, one, other].every(({ tower }) => tower.reading(ID) !== undefined)).toBe(true);
    for (let at = 0, unit = 0; alone.verdicts.length < 2; unit += 1) {
      if (pointOf(salt, `t${unit}`) >= PPM) continue;
      at += 1;
      server.clock.now = T0 + at * 1_000;
      const metrics = [{ seq: at, timeMs: server.clock.now, unit: `t${unit}`, name: "error" }];
      take(alone, { exposures: [], metrics });
      take(at % 2 === 0 ? one : other, { exposures: [], metrics });
      for (const node of [one, other]) await settled(node, alone);
    }
    // Paused, then back; neither half of it would have done.
    expect([one.verdicts, other.verdicts]).toEqual([alone.verdicts, alone.verdicts]);
  });

  it("know of each other that events still come, also of units that were counted before", async () => {
    const [here, there] = [nodeOf("a"), nodeOf("b")];
    await expect.poll(() => [here, there].every(({ tower }) => tower.reading(ID) !== undefined)).toBe(true);
    for (const minute of [0, 5, 10]) {
      server.clock.now = T0 + minute * 60_000;
      take(there, { exposures: [], metrics: [{ seq: minute, timeMs: server.clock.now, unit: "one", name: "error" }] });
      const heardAt = (): number | undefined => here.tower.reading(ID)?.guardrails[0]?.lastEventAt;
      await expect.poll(heardAt, { timeout: 20_000 }).toBe(server.clock.now);
    }
  });

  it("give away no unit's name", async () => {
    const node = nodeOf("a");
    await expect.poll(() => node.tower.reading(ID) !== undefined).toBe(true);
    take(node, { exposures: [], metrics: [{ seq: 1, timeMs: T0, unit: "ann@example.com", name: "error" }] });
    await expect.poll(() => kept.size, { timeout: 20_000 }).toBeGreaterThan(0);
    const heads = await kept.join().heads([runOf()]);
    const pages = await Promise.all(heads.map((head) => kept.join().after({ ...head, number: 0 }, 100)));
    const text = JSON.stringify(pages);
    expect(text).not.toContain("ann@");
    expect(text).toContain(markOf(salt, "ann@example.com").id);
  });
});

/** Sums of values come in another order: the same to the last digits. That a unit is heard again is told now and then. */
async function settledButRounding(node: Node, other: Node): Promise<void> {
  const rounded = ({ tower }: Node): unknown =>
    JSON.parse(JSON.stringify(tower.reading(ID) ?? null), (key, value) =>
      key.endsWith("At") ? undefined : typeof value === "number" ? Number(value.toPrecision(9)) : value,
    );
  await expect.poll(() => rounded(node), { timeout: 20_000, interval: 2 }).toEqual(rounded(other));
}

function unitsOf(count: number, isTreated: boolean): string[] {
  const found: string[] = [];
  for (let i = 0; found.length < count; i += 1) if (pointOf(salt, `u${i}`) < PPM === isTreated) found.push(`u${i}`);
  return found;
}

function runOf(): string {
  const release = server.control.workspace.projects.get("default")?.environments.get("production")?.releases.get("checkout");
  return `default/production/checkout@${release?.body.startedAt}`;
}
