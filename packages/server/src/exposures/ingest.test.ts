import { gzipSync } from "node:zlib";
import { PACKED_TYPE, pack } from "@belay/core";
import type { BatchReceipt, EventBatch, Exposure, Problem } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { rowsOf } from "../store/events/event-store.contract.ts";
import { exposureOf, metricOf, TEN_OCLOCK } from "../store/events/events.fixture.ts";
import { type Doors, openDoors, SDK_BEARER } from "./doors.fixture.ts";

let doors: Doors;
let instances = 0;
let instance = "";

beforeAll(async () => {
  doors = await openDoors();
});
afterAll(() => doors.close());
beforeEach(() => {
  instances += 1;
  instance = `run-${instances}`;
});

interface Answer {
  readonly status: number;
  readonly receipt: BatchReceipt;
  readonly problem: Problem;
}

async function post(payload: string | Buffer, headers: Record<string, string | undefined> = {}): Promise<Answer> {
  const all = { ...SDK_BEARER, "content-type": "application/json", ...headers };
  const answer = await doors.app.inject({
    method: "POST",
    url: "/sdk/v1/events",
    headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string>,
    payload,
  });
  return { status: answer.statusCode, receipt: answer.json(), problem: answer.json() };
}

const batch = (over: Partial<EventBatch> | Record<string, unknown> = {}): string =>
  JSON.stringify({ batchId: "b1", sentAtMs: Date.now(), sdk: "node/0.1.0", instance, ...over });

const packed = (text: string): Buffer => Buffer.from(pack(text).buffer);

const stored = async (): Promise<unknown[]> => (await rowsOf(doors.events)).filter((row) => row["instance"] === instance);

describe("bodies", () => {
  const exposures = [exposureOf(1), exposureOf(2)];
  const accepted = { accepted: 2, duplicates: 0, rejected: [] };

  test.each([
    ["plain JSON", (text: string) => text, {}],
    ["gzip", (text: string) => gzipSync(text), { "content-encoding": "gzip" }],
    ["text/plain, as a page that goes away sends it", (text: string) => text, { "content-type": "text/plain;charset=UTF-8" }],
    ["packed, as a page sends what must outlive it", packed, { "content-type": PACKED_TYPE }],
    ["a client key", (text: string) => text, { authorization: "Bearer client" }],
  ])("%s is taken", async (_, encode, headers) => {
    expect(await post(encode(batch({ exposures })), headers)).toMatchObject({ status: 202, receipt: accepted });
    expect(await stored()).toHaveLength(2);
  });

  test.each([
    ["no key", batch(), { authorization: "" }, 401, "unauthenticated"],
    ["another encoding", batch(), { "content-encoding": "br" }, 415, "unsupported_media_type"],
    ["another type", batch(), { "content-type": "application/xml" }, 415, "unsupported_media_type"],
    ["no gzip", "x", { "content-encoding": "gzip" }, 400, "invalid_encoding"],
    ["gzip cut short", gzipSync(batch()).subarray(0, 40), { "content-encoding": "gzip" }, 400, "invalid_encoding"],
    ["nothing that was packed", Buffer.from([0, 9, 9]), { "content-type": PACKED_TYPE }, 400, "invalid_encoding"],
    ["a packed bomb", packed(batch({ sdk: " ".repeat(300_000) })), { "content-type": PACKED_TYPE }, 400, "invalid_encoding"],
    ["no JSON", "{", {}, 400, "invalid_json"],
    ["nothing", "", {}, 400, "invalid_json"],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), {}, 400, "invalid_json"],
    ["over 5 MiB", " ".repeat(5 * 1_048_576 + 1), {}, 413, "body_too_large"],
  ])("%s is refused", async (_, payload, headers, status, code) => {
    expect(await post(payload, headers as Record<string, string>)).toMatchObject({ status, problem: { code } });
  });

  test("a page that goes away brings its key inside, up to 64 KiB of text/plain; the key is not stored", async () => {
    const beacon = { authorization: undefined, "content-type": "text/plain;charset=UTF-8" };
    const inside = batch({ exposures, sdkKey: "client" });
    expect(await post(inside, beacon)).toMatchObject({ status: 202, receipt: accepted });
    expect(JSON.stringify(await stored())).not.toContain("client");
    expect((await post(batch({ exposures, sdkKey: "stranger" }), beacon)).status).toBe(401);
    expect((await post(batch({ exposures }), beacon)).status).toBe(401);
    expect((await post(inside, { ...beacon, "content-type": "application/json" })).status).toBe(401);
    expect(await post(packed(inside), { ...beacon, "content-type": PACKED_TYPE })).toMatchObject({
      status: 202,
      receipt: { accepted: 0, duplicates: 2 },
    });
    expect((await post(inside.padEnd(65_537), beacon)).status).toBe(401);
    expect((await post(gzipSync(inside), { ...beacon, "content-encoding": "gzip" })).status).toBe(401);
  });

  test("a bomb of 200 MB in 200 kB is refused at 20 MiB, and inflated no further", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000, " "));
    const before = process.memoryUsage().rss;
    expect(await post(bomb, { "content-encoding": "gzip" })).toMatchObject({
      status: 413,
      problem: { code: "body_too_large", limit: 20_971_520 },
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  test("a body nested 100,000 deep is answered, and the events beside it are taken", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const body = batch({ exposures: [exposureOf(1), { ...exposureOf(2), attributes: { deep: "DEEP" } }] }).replace(
      '"DEEP"',
      deep,
    );
    const { status, receipt } = await post(body);
    expect(status).toBe(202);
    expect(receipt).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: [{ list: "exposures", index: 1, code: "limit_exceeded", field: "attributes" }],
    });
  });
});

describe("heads", () => {
  test.each([
    ["a list", [], "body"],
    ["no instance", { batchId: "b", sentAtMs: 1, sdk: "s" }, "instance"],
    ["an instance with a slash", { batchId: "b", sentAtMs: 1, sdk: "s", instance: "a/b" }, "instance"],
    ["a time that is text", { batchId: "b", sentAtMs: "1", sdk: "s", instance: "i" }, "sentAtMs"],
    ["an unknown field", { batchId: "b", sentAtMs: 1, sdk: "s", instance: "i", exposure: [] }, "exposure"],
    ["a list that is none", { batchId: "b", sentAtMs: 1, sdk: "s", instance: "i", exposures: {} }, "exposures"],
  ])("%s is refused, naming the field", async (_, body, field) => {
    expect(await post(JSON.stringify(body))).toMatchObject({ status: 422, problem: { field } });
  });
});

describe("partial rejection", () => {
  test("fault 32: one bad event of 100 is told by its index, and 99 are stored", async () => {
    const exposures = Array.from({ length: 100 }, (_, index) => exposureOf(index + 1));
    const bad = exposures.map((exposure, index) => (index === 41 ? { ...exposure, unit: 42 } : exposure));
    const { status, receipt } = await post(batch({ exposures: bad }));
    expect(status).toBe(202);
    expect(receipt).toEqual({
      accepted: 99,
      duplicates: 0,
      rejected: [{ list: "exposures", index: 41, code: "invalid_field", field: "unit" }],
    });
    expect(await stored()).toHaveLength(99);
    // Sent again, corrected: only the one is new.
    expect((await post(batch({ exposures }))).receipt).toEqual({ accepted: 1, duplicates: 99, rejected: [] });
  });

  const { experiment: _, ...untracked } = exposureOf(1);
  test.each<[string, unknown, string, string]>([
    ["null", null, "invalid_field", ""],
    ["a list", [], "invalid_field", ""],
    ["no sequence number", { ...exposureOf(1), seq: undefined }, "invalid_field", "seq"],
    ["sequence number 0", exposureOf(0), "invalid_field", "seq"],
    ["a fraction", exposureOf(1.5), "invalid_field", "seq"],
    ["a time before 1970", exposureOf(1, { timeMs: -1 }), "invalid_field", "timeMs"],
    ["a time after 9999", exposureOf(1, { timeMs: 253_402_300_800_000 }), "invalid_field", "timeMs"],
    ["a flag that is no key", exposureOf(1, { flag: "a b" }), "invalid_key", "flag"],
    ["an empty unit", exposureOf(1, { unit: "" }), "invalid_field", "unit"],
    ["a unit of 4,097 characters", exposureOf(1, { unit: "x".repeat(4_097) }), "invalid_field", "unit"],
    ["null for what is absent", { ...exposureOf(1), rule: null }, "invalid_field", "rule"],
    ["a field that is not known", { ...exposureOf(1), units: "x" }, "unknown_field", "units"],
    ["neither experiment nor release", untracked, "invalid_field", "experiment"],
    ["both of them", exposureOf(1, { release: "r" }), "invalid_field", "experiment"],
    ["attributes that are a list", { ...exposureOf(1), attributes: [] }, "invalid_field", "attributes"],
    ["attributes of 16,385 characters", exposureOf(1, { attributes: { a: "x".repeat(16_377) } }), "limit_exceeded", "attributes"],
  ])("%s is rejected", async (_name, event, code, field) => {
    const { status, receipt } = await post(batch({ exposures: [event, exposureOf(2)] }));
    expect([status, receipt.accepted]).toEqual([202, 1]);
    expect(receipt.rejected).toEqual([{ list: "exposures", index: 0, code, field }]);
  });

  test("numbers beyond a double are rejected, not turned into null", async () => {
    const body = batch({ metrics: [metricOf(1), metricOf(2)], exposures: [exposureOf(3)] })
      .replace('"seq":1,', '"seq":1,"value":1e999,')
      .replace('"seq":3,', '"seq":3,"attributes":{"n":1e999},');
    expect((await post(body)).receipt.rejected).toEqual([
      { list: "exposures", index: 0, code: "limit_exceeded", field: "attributes" },
      { list: "metrics", index: 0, code: "invalid_field", field: "value" },
    ]);
  });

  test("counts and ledger lines are checked one by one as well", async () => {
    const counts = [
      { flag: "checkout", count: 3 },
      { flag: "checkout", count: -3 },
    ];
    const ledger = [
      { variant: "a", produced: 1, dropped: 0 },
      { variant: "a", produced: 1 },
    ];
    expect((await post(batch({ counts, ledger }))).receipt).toEqual({
      accepted: 0,
      duplicates: 0,
      rejected: [
        { list: "counts", index: 1, code: "invalid_field", field: "count" },
        { list: "ledger", index: 1, code: "invalid_field", field: "dropped" },
      ],
    });
  });
});

describe("acknowledgements that get lost", () => {
  test("100,000 exposures, every third batch sent again once or twice, some at once: each is counted once", async () => {
    const dice = seeded(28);
    const own = instance;
    const send = async (number: number): Promise<BatchReceipt> => {
      const exposures = Array.from({ length: 100 }, (_, index) => exposureOf(100 * number + index + 1));
      return (await post(batch({ batchId: `b${number}`, instance: own, exposures }))).receipt;
    };
    let accepted = 0;
    let duplicates = 0;
    for (let number = 0; number < 1_000; number += 1) {
      const copies = number % 3 === 0 ? 1 + dice.below(2) : 0;
      const together = dice.below(2) === 0;
      const receipts = together
        ? await Promise.all(Array.from({ length: 1 + copies }, () => send(number)))
        : [await send(number)];
      for (let copy = 0; copy < copies && !together; copy += 1) receipts.push(await send(dice.below(number + 1)));
      for (const receipt of receipts) {
        accepted += receipt.accepted;
        duplicates += receipt.duplicates;
      }
    }
    expect(accepted).toBe(100_000);
    expect(duplicates).toBeGreaterThan(33_000);
    const rows = (await stored()) as { id: string }[];
    expect(new Set(rows.map(({ id }) => id)).size).toBe(100_000);
    expect(rows).toHaveLength(100_000);
  }, 120_000);
});

describe("fault 35: clocks", () => {
  const hour = 3_600_000;
  test.each([
    ["three hours ahead", 3 * hour],
    ["three hours behind", -3 * hour],
    ["in the year 1970", -TEN_OCLOCK],
  ])("a client %s: stored under the server's time, the offset beside it, nothing corrected", async (_, skewMs) => {
    const before = Date.now();
    const sentAtMs = Math.max(0, before + skewMs);
    const exposures = [
      exposureOf(1, { timeMs: Math.max(0, sentAtMs - 500) }),
      exposureOf(2, { timeMs: Math.max(0, sentAtMs - 400) }),
    ];
    await post(batch({ sentAtMs, exposures }));
    const rows = (await stored()) as { time: string; received_at: string; seq: number; clock_offset_ms: number }[];
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2]);
    for (const [index, row] of rows.entries()) {
      const receivedAt = Date.parse(row.received_at);
      expect(receivedAt).toBeGreaterThanOrEqual(before);
      expect(receivedAt).toBeLessThanOrEqual(Date.now());
      expect(row.clock_offset_ms).toBe(receivedAt - sentAtMs);
      expect(Date.parse(row.time)).toBe(exposures[index]?.timeMs);
    }
  });

  test("a clock that steps back in the middle of a run leaves the order of its events alone", async () => {
    const times = [5_000, 6_000, 1_000, 2_000, 500];
    for (const [index, timeMs] of times.entries())
      await post(batch({ sentAtMs: timeMs, exposures: [exposureOf(index + 1, { timeMs })] }));
    const rows = (await stored()) as { seq: number; time: string }[];
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(rows.map(({ time }) => Date.parse(time))).toEqual(times);
  });
});

describe("laws", () => {
  test("the fast check and the schema agree on any event, and no event makes the door fail", async () => {
    const value = fc.oneof(
      fc.constantFrom(undefined, null, "", "a", "a b", 0, 1, 1.5, -1, 2 ** 53, true, [], {}),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const name = fc.constantFrom(
      "seq",
      "timeMs",
      "flag",
      "variant",
      "rule",
      "experiment",
      "release",
      "epoch",
      "revision",
      "unit",
      "attributes",
      "extra",
    );
    const broken = fc.record({ name, value }).map((change): unknown => ({ ...exposureOf(1), [change.name]: change.value }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(broken, fc.jsonValue()), async (event) => {
        instances += 1;
        instance = `law-${instances}`;
        const { status, receipt } = await post(batch({ exposures: [event] }));
        expect(status).toBe(202);
        expect(receipt.accepted + receipt.rejected.length).toBe(1);
        // A rejection names a field of the dictionary's kind, so the schema found what the fast check did.
        if (
          receipt.rejected[0]?.code === "invalid_field" &&
          typeof event === "object" &&
          event !== null &&
          !Array.isArray(event)
        ) {
          expect(receipt.rejected[0].field).not.toBe("");
        }
      }),
      { numRuns: 300 },
    );
  });

  test("an exposure as the schema's widest: every optional field and every limit at its edge", async () => {
    const widest: Exposure = exposureOf(Number.MAX_SAFE_INTEGER, {
      timeMs: 253_402_300_799_999,
      flag: "f".repeat(128),
      variant: "v".repeat(128),
      rule: "r".repeat(128),
      unit: "u".repeat(4_096),
      revision: Number.MAX_SAFE_INTEGER,
      attributes: { a: "x".repeat(16_384 - '{"a":""}'.length) },
    });
    expect((await post(batch({ exposures: [widest] }))).receipt).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
    expect(await stored()).toMatchObject([
      { seq: Number.MAX_SAFE_INTEGER, time: "9999-12-31T23:59:59.999Z", attributes: widest.attributes },
    ]);
  });
});
