import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EventKind, EventStore, PullRequest } from "./event-store.ts";
import { batchOf, exposureOf, metricOf, TEN_OCLOCK } from "./events.fixture.ts";

/** A store whose files stay when it is closed: opening again finds what was there. */
export interface EventStoreBench {
  readonly open: () => Promise<EventStore>;
  /** Throws the files away. */
  readonly clear: () => Promise<void>;
}

/** What every event store must do, whatever is behind it. */
export function eventStoreContract(name: string, makeBench: () => Promise<EventStoreBench>): void {
  describe(`event store: ${name}`, () => {
    let bench: EventStoreBench;
    let store: EventStore;

    beforeEach(async () => {
      bench = await makeBench();
      store = await bench.open();
    });

    afterEach(async () => {
      await store.close();
      await bench.clear();
    });

    async function reopen(): Promise<void> {
      await store.close();
      store = await bench.open();
    }

    const rows = (request?: Partial<PullRequest>): Promise<Row[]> => rowsOf(store, request);
    const units = async (request?: Partial<PullRequest>): Promise<unknown[]> => (await rows(request)).map((row) => row["unit"]);

    test("an exposure comes back with every column as it was sent", async () => {
      const exposure = exposureOf(7, {
        rule: "r1",
        unit: "zoë-😀",
        differs: true,
        attributes: { country: "DE", nested: { list: [1, "two", null] } },
      });
      expect(await store.append(batchOf({ exposures: [exposure] }))).toEqual({ accepted: 1, duplicates: 0 });
      expect(await rows()).toEqual([
        {
          id: "instance-1-7",
          time: "2026-11-22T10:00:00.007Z",
          received_at: "2026-11-22T10:00:05.000Z",
          project: "default",
          environment: "production",
          revision: 12,
          flag: "checkout",
          variant: "treatment",
          rule: "r1",
          experiment: "checkout-test",
          release: null,
          unit: "zoë-😀",
          differs: true,
          attributes: { country: "DE", nested: { list: [1, "two", null] } },
          sdk: "node/0.1.0",
          instance: "instance-1",
          seq: 7,
          epoch: 3,
          clock_offset_ms: 40,
          cursor: expect.stringMatching(/^\d+$/) as string,
        },
      ]);
    });

    test("a metric event comes back with every column as it was sent", async () => {
      const metrics = [metricOf(1, { value: 12.5, properties: { sku: 'a"b\\c', n: 1e21 } }), metricOf(2, { name: "visit" })];
      expect(await store.append(batchOf({ metrics }))).toEqual({ accepted: 2, duplicates: 0 });
      const [first, second] = await rows({ kind: "metrics" });
      expect(first).toEqual({
        id: "instance-1-1",
        time: "2026-11-22T10:00:00.001Z",
        received_at: "2026-11-22T10:00:05.000Z",
        project: "default",
        environment: "production",
        name: "purchase",
        unit: "user-1",
        value: 12.5,
        properties: { sku: 'a"b\\c', n: 1e21 },
        sdk: "node/0.1.0",
        instance: "instance-1",
        seq: 1,
        clock_offset_ms: 40,
        cursor: expect.stringMatching(/^\d+$/) as string,
      });
      expect([second?.["name"], second?.["value"], second?.["properties"]]).toEqual(["visit", null, null]);
    });

    test("text of any kind survives: quotes, control characters, separators, emoji; a lone surrogate becomes U+FFFD", async () => {
      const texts = [
        'q"uo\\te',
        "tab\tnl\ncr\r",
        "nul\u0000",
        "ls\u2028",
        "😀",
        "\ufeffbom",
        "x".repeat(4_000),
        "' or 1=1 --",
        "\ud800x",
      ];
      await store.append(batchOf({ exposures: texts.map((unit, index) => exposureOf(index + 1, { unit })) }));
      expect(await units()).toEqual([...texts.slice(0, -1), "\ufffdx"]);
      for (const unit of texts.slice(0, -1)) expect(await units({ unit })).toEqual([unit]);
    });

    test("one unit in so many: whole units, the same for both kinds and each time", async () => {
      const of = (seq: number): string => `user-${seq % 300}`;
      const seqs = Array.from({ length: 900 }, (_, index) => index + 1);
      await store.append(
        batchOf({
          exposures: seqs.map((seq) => exposureOf(seq, { unit: of(seq) })),
          metrics: seqs.map((seq) => metricOf(1_000 + seq, { unit: of(seq) })),
        }),
      );
      const taken = await units({ oneUnitIn: 3 });
      const chosen = [...new Set(taken)];
      // 100 of 300, give or take five times the standard deviation.
      expect(Math.abs(chosen.length - 100)).toBeLessThan(41);
      expect(taken).toHaveLength(3 * chosen.length);
      expect(await units({ oneUnitIn: 3, kind: "metrics" })).toEqual(taken);
      expect((await store.estimate({ kind: "metrics", project: "default", oneUnitIn: 3 })).rows).toBe(taken.length);
      expect(await units({ oneUnitIn: 1 })).toHaveLength(900);
    });

    test("attributes come back byte for byte as JSON.stringify wrote them", async () => {
      const attributes = { b: 1, a: [1.5, -0, 1e-7], __proto__x: "\u2028\ud800", "": { ü: null } };
      await store.append(batchOf({ exposures: [exposureOf(1, { attributes })] }));
      const [line = ""] = (await textOf(store)).split("\n");
      expect(line).toContain(`"attributes":${JSON.stringify(attributes)},`);
    });

    test("a batch sent again counts once: at once, later, after a restart, in parts and in any order", async () => {
      const exposures = [1, 2, 3, 4, 5].map((seq) => exposureOf(seq));
      const batch = batchOf({ exposures });
      expect(await store.append(batch)).toEqual({ accepted: 5, duplicates: 0 });
      expect(await store.append(batch)).toEqual({ accepted: 0, duplicates: 5 });
      await store.settle();
      expect(await store.append(batchOf({ exposures: exposures.slice(2) }))).toEqual({ accepted: 0, duplicates: 3 });
      await reopen();
      const more = [...exposures.toReversed(), exposureOf(9), exposureOf(7)];
      expect(await store.append(batchOf({ exposures: more }))).toEqual({ accepted: 2, duplicates: 5 });
      await reopen();
      expect(await store.append(batchOf({ exposures: more }))).toEqual({ accepted: 0, duplicates: 7 });
      expect((await rows()).map((row) => row["seq"])).toEqual([1, 2, 3, 4, 5, 9, 7]);
    });

    test("the same sequence number of another instance, environment or project is another event", async () => {
      const one = { exposures: [exposureOf(1)] };
      const others = [{}, { instance: "instance-2" }, { environment: "staging" }, { project: "other" }];
      for (const other of others)
        expect(await store.append(batchOf({ ...one, ...other }))).toEqual({ accepted: 1, duplicates: 0 });
      expect(await units()).toHaveLength(3);
      expect(await units({ project: "other" })).toHaveLength(1);
      expect(await units({ environments: ["staging"] })).toHaveLength(1);
      expect(await units({ environments: [] })).toEqual([]);
    });

    test("100 batches at once, each sent 3 times: each event is there once, and no copy is acknowledged twice", async () => {
      const batches = Array.from({ length: 100 }, (_, n) =>
        batchOf({ exposures: [exposureOf(2 * n + 1), exposureOf(2 * n + 2)] }),
      );
      const receipts = await Promise.all([...batches, ...batches, ...batches].map((batch) => store.append(batch)));
      expect(receipts.reduce((sum, receipt) => sum + receipt.accepted, 0)).toBe(200);
      expect(receipts.reduce((sum, receipt) => sum + receipt.duplicates, 0)).toBe(400);
      expect(new Set((await rows()).map((row) => row["id"])).size).toBe(200);
      expect(await rows()).toHaveLength(200);
    });

    test("a pull shows every event acknowledged before it, and says that it lags by 0 ms", async () => {
      for (let seq = 1; seq <= 20; seq += 1) {
        await store.append(batchOf({ exposures: [exposureOf(seq)] }));
        const pull = await store.pull(request());
        expect(pull.lagMs).toBe(0);
        expect(pull.rows).toBe(seq);
      }
      expect(store.status().spoolBytes).toBe(0);
    });

    test("filters narrow by flag, variant, experiment, release, unit and time of arrival", async () => {
      const { experiment: _, ...untracked } = exposureOf(3, { unit: "c" });
      await store.append(
        batchOf({
          exposures: [
            exposureOf(1, { unit: "a" }),
            exposureOf(2, { unit: "b", flag: "other", variant: "control" }),
            { ...untracked, release: "r" },
          ],
          receivedAtMs: 1_000,
        }),
      );
      await store.append(batchOf({ exposures: [exposureOf(4, { unit: "d" })], receivedAtMs: 2_000 }));
      expect(await units({ flag: "other" })).toEqual(["b"]);
      expect(await units({ variant: "treatment" })).toEqual(["a", "c", "d"]);
      expect(await units({ experiment: "checkout-test" })).toEqual(["a", "b", "d"]);
      expect(await units({ release: "r" })).toEqual(["c"]);
      expect(await units({ fromMs: 1_000, toMs: 2_000 })).toEqual(["a", "b", "c"]);
      expect(await units({ fromMs: 2_000 })).toEqual(["d"]);
      expect(await units({ flag: "' or true --" })).toEqual([]);
      expect(await store.estimate({ kind: "exposures", project: "default", flag: "checkout" })).toEqual({ rows: 3, lagMs: 0 });
    });

    test("whether a decision differs is told as it was sent, and narrows: true, false and not known are three things", async () => {
      const told = [{ differs: true }, { differs: false }, {}, { differs: true }];
      await store.append(batchOf({ exposures: told.map((one, index) => exposureOf(index + 1, one)) }));
      await store.append(batchOf({ exposures: [exposureOf(5)] }));
      expect((await rows()).map((row) => row["differs"])).toEqual([true, false, null, true, null]);
      expect(await units({ differs: true })).toEqual(["user-1", "user-4"]);
      expect(await units({ differs: false })).toEqual(["user-2"]);
      const csv = (await textOf(store, { format: "csv" })).split("\r\n");
      const at = csv[0]?.split(",").indexOf("differs") ?? -1;
      expect(csv.slice(1, 6).map((line) => line.split(",")[at])).toEqual(["true", "false", "", "true", ""]);
    });

    test("a pull cut off after any row goes on after it, with nothing lost or repeated while events keep arriving", async () => {
      const sent: string[] = [];
      const read: unknown[] = [];
      let cursor: string | undefined;
      for (let round = 0; round < 30; round += 1) {
        const exposures = Array.from({ length: 10 }, (_, index) =>
          exposureOf(10 * round + index + 1, { unit: `u${10 * round + index}` }),
        );
        await store.append(batchOf({ exposures }));
        sent.push(...exposures.map(({ unit }) => unit));
        const page = await rows({ limit: 7, ...(cursor === undefined ? {} : { after: cursor }) });
        read.push(...page.map((row) => row["unit"]));
        cursor = page.at(-1)?.["cursor"] as string | undefined;
      }
      expect(read).toHaveLength(210);
      const rest = await units(cursor === undefined ? {} : { after: cursor });
      expect([...read, ...rest]).toEqual(sent);
    });

    test("a cursor that is none is refused", async () => {
      for (const after of ["", "x", "-1", "1.5", "9".repeat(16), "1; drop table exposures"]) {
        await expect(store.pull(request({ after }))).rejects.toMatchObject({ code: "invalid_cursor" });
      }
    });

    test("30,000 rows come out in order of arrival, in several pages", async () => {
      for (let start = 1; start <= 30_000; start += 3_000) {
        const exposures = Array.from({ length: 3_000 }, (_, index) => exposureOf(start + index));
        await store.append(batchOf({ exposures }));
      }
      const seqs = (await rows()).map((row) => row["seq"]);
      expect(seqs).toEqual(Array.from({ length: 30_000 }, (_, index) => index + 1));
    });

    test("the ledger holds what was made, dropped, stored and sent again, per arm of an instance", async () => {
      const arm = { experiment: "checkout-test", variant: "treatment" };
      const batch = batchOf({ exposures: [exposureOf(1), exposureOf(2)], ledger: [{ ...arm, produced: 2, dropped: 0 }] });
      await store.append(batch);
      await store.append(batch);
      await store.append(batchOf({ exposures: [exposureOf(5)], ledger: [{ ...arm, produced: 5, dropped: 2 }] }));
      await store.append(batchOf({ instance: "instance-2", exposures: [exposureOf(1, { variant: "control" })] }));
      const line = { environment: "production", experiment: "checkout-test", release: undefined };
      const seenAtMs = TEN_OCLOCK + 5_000;
      expect(await store.ledger({ project: "default" })).toMatchObject([
        { ...line, instance: "instance-1", variant: "treatment", produced: 5, dropped: 2, stored: 3, duplicates: 2, seenAtMs },
        { ...line, instance: "instance-2", variant: "control", produced: 0, dropped: 0, stored: 1, duplicates: 0, seenAtMs },
      ]);
      expect(await store.ledger({ project: "default", release: "none" })).toEqual([]);
    });

    test("erasing a unit takes its exposures and metric events out, and nobody else's", async () => {
      await store.append(
        batchOf({
          exposures: [exposureOf(1, { unit: "a" }), exposureOf(2, { unit: "b" })],
          metrics: [metricOf(3, { unit: "a" })],
        }),
      );
      await store.append(batchOf({ project: "other", exposures: [exposureOf(1, { unit: "a" })] }));
      expect(await store.erase("default", "a")).toBe(2);
      expect(await units()).toEqual(["b"]);
      expect(await units({ kind: "metrics" })).toEqual([]);
      expect(await units({ project: "other" })).toEqual(["a"]);
    });

    test("what the ledger says was stored stays so when a unit is erased and when old events go", async () => {
      const arm = { experiment: "checkout-test", variant: "treatment" };
      const first = { exposures: [exposureOf(1, { unit: "a" }), exposureOf(2, { unit: "b" })], receivedAtMs: 1_000 };
      await store.append(batchOf({ ...first, ledger: [{ ...arm, produced: 2, dropped: 0 }] }));
      await store.settle();
      const second = { exposures: [exposureOf(3, { unit: "a" })], receivedAtMs: 2_000 };
      await store.append(batchOf({ ...second, ledger: [{ ...arm, produced: 3, dropped: 0 }] }));
      await store.append(batchOf({ instance: "gone", exposures: [exposureOf(1, { unit: "c" })], receivedAtMs: 1_000 }));
      const told = async (): Promise<unknown> =>
        (await store.ledger({ project: "default" })).map(({ instance, produced, stored }) => [instance, produced, stored]);
      expect(await store.erase("default", "a")).toBe(2);
      expect(await told()).toEqual([
        ["gone", 0, 1],
        ["instance-1", 3, 3],
      ]);
      expect(await store.retain("default", 2_000)).toBe(2);
      // An instance that said nothing since is forgotten whole: half of one would look like loss.
      expect(await told()).toEqual([["instance-1", 3, 3]]);
    });

    test("retention forgets what was received before a moment, in one project", async () => {
      await store.append(batchOf({ exposures: [exposureOf(1)], receivedAtMs: 1_000 }));
      await store.append(batchOf({ exposures: [exposureOf(2)], metrics: [metricOf(3)], receivedAtMs: 2_000 }));
      await store.append(batchOf({ project: "other", exposures: [exposureOf(1)], receivedAtMs: 1_000 }));
      expect(await store.retain("default", 2_000)).toBe(1);
      expect((await rows()).map((row) => row["seq"])).toEqual([2]);
      expect(await units({ project: "other" })).toHaveLength(1);
    });

    test("counts of a batch sent again are not events, and the batch is acknowledged", async () => {
      const batch = batchOf({
        counts: [
          { flag: "checkout", variant: "on", count: 10 },
          { flag: "checkout", count: 1 },
        ],
      });
      expect(await store.append(batch)).toEqual({ accepted: 0, duplicates: 0 });
      expect(await store.append(batch)).toEqual({ accepted: 0, duplicates: 0 });
      expect(await rows()).toEqual([]);
    });
  });
}

type Row = Readonly<Record<string, unknown>>;

function request(over: Partial<PullRequest> = {}): PullRequest {
  return { kind: "exposures" satisfies EventKind, project: "default", format: "ndjson", ...over };
}

/** The bytes of a pull as text. */
async function textOf(store: EventStore, over: Partial<PullRequest> = {}): Promise<string> {
  const { pages } = await store.pull(request(over));
  const chunks: Uint8Array[] = [];
  for await (const page of pages) chunks.push(page);
  return Buffer.concat(chunks).toString();
}

/** The rows of a pull as NDJSON. */
export async function rowsOf(store: EventStore, over: Partial<PullRequest> = {}): Promise<Row[]> {
  const lines = (await textOf(store, over)).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Row);
}
