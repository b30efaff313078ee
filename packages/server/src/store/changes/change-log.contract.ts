import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChangeDraft, ChangeLog, Commit, CommitOutcome, DocumentWrite, Raise, StreamRevision } from "./change-log.ts";

/** One suite for every implementation of the change log. `open` gives an empty log at first and the same one again later. */
export function changeLogContract(
  name: string,
  makeStore: () => Promise<{ open: () => Promise<ChangeLog>; remove: () => Promise<void> }>,
): void {
  describe(`change log: ${name}`, () => {
    let store: Awaited<ReturnType<typeof makeStore>>;
    let log: ChangeLog;

    beforeEach(async () => {
      store = await makeStore();
      log = await store.open();
    });
    afterEach(async () => {
      await log.close();
      await store.remove();
    });

    it("starts empty", async () => {
      expect(await log.load()).toEqual({ position: 0, streams: [], documents: [] });
    });

    it("makes revision n+1 and refuses a commit decided on another one", async () => {
      expect(await log.commit(onShop(0))).toEqual({ status: "committed", id: 1 });
      expect(await log.commit(onShop(0))).toEqual({ status: "conflict", stream: { project: "shop", revision: 1 } });
      expect(await log.commit(onShop(2))).toEqual({ status: "conflict", stream: { project: "shop", revision: 1 } });
      expect(await log.commit(onShop(1))).toEqual({ status: "committed", id: 2 });
      expect((await log.load()).streams).toEqual([{ project: "shop", revision: 2 }]);
    });

    it("raises several environments at once or none of them", async () => {
      const both = (staging: number): Commit =>
        commitOf(
          [shop(0), env("staging", staging), env("production", 0)],
          [document("staging", "a", 1), document("production", "a", 2)],
        );
      await log.commit(commitOf([env("staging", 0)], [], { project: "shop", environment: "staging" }));
      expect((await log.commit(both(0))).status).toBe("conflict");
      expect((await log.load()).documents).toEqual([]);
      expect((await log.load()).streams).toEqual([env("staging", 1)]);
      expect((await log.commit(both(1))).status).toBe("committed");
      expect(sorted((await log.load()).streams)).toEqual(sorted([shop(1), env("staging", 2), env("production", 1)]));
      expect((await log.load()).documents).toHaveLength(2);
    });

    it("keeps whatever a person can write as a reason or be called", async () => {
      const [reason, name] = ["nul \u0000 in \ud800 it", "A\u0000da \ud800"];
      expect(await log.commit(onShop(0, { reason, actor: { id: "a", name } }))).toEqual({ status: "committed", id: 1 });
      const [change] = await log.changes({ project: "shop" }, 1);
      expect([change?.reason, change?.actor.name]).toEqual(["nul \ufffd in \ufffd it", "A\ufffdda \ufffd"]);
      expect(await log.changes({ project: "shop", targetKey: "a\u0000" }, 1)).toEqual([]);
      expect((await log.load()).streams).toEqual([{ project: "shop", revision: 1 }]);
    });

    it("keeps documents with the revision that wrote them, and removes them", async () => {
      await log.commit(commitOf([shop(0)], [document(undefined, "a", { n: 1 }), document(undefined, "b", "text")]));
      await log.commit(commitOf([shop(1)], [document(undefined, "a", { n: 2 })]));
      await log.commit(commitOf([shop(2)], [{ kind: "thing", project: "shop", key: "b" }]));
      expect((await log.load()).documents).toEqual([{ kind: "thing", project: "shop", key: "a", revision: 2, body: { n: 2 } }]);
    });

    it("gives the documents as they were at any position", async () => {
      await log.commit(commitOf([shop(0)], [document(undefined, "a", 1)]));
      await log.commit(commitOf([shop(1)], [document(undefined, "a", 2), document(undefined, "b", 1)]));
      await log.commit(commitOf([shop(2)], [{ kind: "thing", project: "shop", key: "a" }]));
      const bodiesAt = async (position: number): Promise<unknown[]> =>
        (await log.documentsAt("shop", position)).map(({ key, body }) => [key, body]);
      expect(await bodiesAt(0)).toEqual([]);
      expect(await bodiesAt(1)).toEqual([["a", 1]]);
      expect((await bodiesAt(2)).sort()).toEqual([
        ["a", 2],
        ["b", 1],
      ]);
      expect(await bodiesAt(3)).toEqual([["b", 1]]);
      expect(await log.documentsAt("other", 3)).toEqual([]);
    });

    it("finds the change that made a revision", async () => {
      await log.commit(onShop(0));
      await log.commit(commitOf([env("production", 0)], [], { project: "shop", environment: "production" }));
      await log.commit(onShop(1));
      expect(await log.positionOf({ project: "shop" }, 2)).toBe(3);
      expect(await log.positionOf({ project: "shop", environment: "production" }, 1)).toBe(2);
      expect(await log.positionOf({ project: "shop" }, 3)).toBeUndefined();
    });

    it("decides commits that arrive together one by one: one of a hundred rivals wins", async () => {
      const outcomes = await Promise.all(Array.from({ length: 100 }, () => log.commit(onShop(0))));
      expect(outcomes.filter(({ status }) => status === "committed")).toHaveLength(1);
      expect(outcomes.filter(({ status }) => status === "conflict")).toHaveLength(99);
      expect(await log.changes({}, 1_000)).toHaveLength(1);
    });

    it("raises a stream higher than by one where that is asked for, and goes on from there", async () => {
      await log.commit(commitOf([{ ...shop(0), to: 7 }, env("staging", 0)], [document(undefined, "a", 1)]));
      expect(sorted((await log.load()).streams)).toEqual(sorted([shop(7), env("staging", 1)]));
      expect(await log.change(1)).toMatchObject({ revision: 7 });
      expect((await log.entriesAfter(0, 1))[0]?.documents).toMatchObject([{ key: "a", revision: 7 }]);
      expect([await log.positionOf({ project: "shop" }, 7), await log.positionOf({ project: "shop" }, 1)]).toEqual([
        1,
        undefined,
      ]);
      expect(await log.commit(onShop(6))).toEqual({ status: "conflict", stream: shop(7) });
      expect((await log.commit(onShop(7))).status).toBe("committed");
    });

    it("is known from another one by its first change, and each place in it by the change there", async () => {
      await log.commit(onShop(0, { at: 1_000, requestId: "one" }));
      expect((await log.load()).marks).toEqual({ first: "1000 one", last: "1000 one" });
      await log.commit(onShop(1, { at: 1_000, requestId: "two" }));
      await log.commit(onShop(2, { at: 999, requestId: "one" }));
      expect((await log.load()).marks).toEqual({ first: "1000 one", last: "999 one" });
      expect(await Promise.all([0, 1, 2, 3, 4].map((id) => log.markOf(id)))).toEqual([
        undefined,
        "1000 one",
        "1000 two",
        "999 one",
        undefined,
      ]);
    });

    it("accepts a chain and unrelated streams that arrive together", async () => {
      const outcomes = await Promise.all(
        [onShop(0), onShop(1), commitOf([{ revision: 0 }], [], {}), onShop(2)].map((c) => log.commit(c)),
      );
      expect(outcomes.map((outcome) => outcome.status)).toEqual(["committed", "committed", "committed", "committed"]);
      expect(sorted((await log.load()).streams)).toEqual(sorted([shop(3), { revision: 1 }]));
    });

    it("answers an idempotency key once", async () => {
      const keyed = (revision: number, fingerprint: string): Commit => ({
        ...onShop(revision),
        idempotency: { scope: "actor", key: "k", fingerprint, answer: { made: revision + 1 } },
      });
      const outcomes = await Promise.all([keyed(0, "f"), keyed(1, "f"), keyed(1, "g")].map((commit) => log.commit(commit)));
      const again: CommitOutcome = { status: "repeated", fingerprint: "f", answer: { made: 1 } };
      expect(outcomes).toEqual([{ status: "committed", id: 1 }, again, again]);
      expect(await log.answer({ scope: "actor", key: "k" })).toEqual({ fingerprint: "f", answer: { made: 1 } });
      expect(await log.answer({ scope: "other", key: "k" })).toBeUndefined();
      expect(await log.forgetAnswers(1_000)).toBe(0);
      expect(await log.forgetAnswers(1_001)).toBe(1);
      expect(await log.answer({ scope: "actor", key: "k" })).toBeUndefined();
    });

    it("tells changes newest first, filtered and page by page", async () => {
      for (let revision = 0; revision < 10; revision += 1) {
        await log.commit(onShop(revision, { at: 1_000 + revision, action: revision % 2 === 0 ? "even" : "odd" }));
      }
      await log.commit(
        commitOf([env("staging", 0)], [], { project: "shop", environment: "staging", actor: { id: "b", name: "Bea" } }),
      );
      const ids = async (filter: Parameters<ChangeLog["changes"]>[0], limit = 100): Promise<number[]> =>
        (await log.changes(filter, limit)).map(({ id }) => id);
      expect(await ids({}, 3)).toEqual([11, 10, 9]);
      expect(await ids({ olderThan: 9 }, 3)).toEqual([8, 7, 6]);
      expect(await ids({ action: "odd" })).toEqual([10, 8, 6, 4, 2]);
      expect(await ids({ from: 1_003, to: 1_005, action: "even" })).toEqual([5]);
      expect(await ids({ environment: "staging" })).toEqual([11]);
      expect(await ids({ visibleEnvironments: ["production"], olderThan: 3 })).toEqual([2, 1]);
      expect(await ids({ visibleEnvironments: ["production"], actor: "b" })).toEqual([]);
      expect(await ids({ project: "other" })).toEqual([]);
      expect(await ids({ targetKind: "thing", targetKey: "a" }, 1)).toEqual([11]);
      expect(await ids({ targetKey: "nothing" })).toEqual([]);
    });

    it("gives a change back as it was written", async () => {
      const draft: Partial<ChangeDraft> = {
        reason: "because 'quotes' and \u{1f600}",
        before: { on: false },
        after: null,
        approvals: [{ id: "c", name: "Cem", at: 7 }],
      };
      await log.commit(onShop(0, draft));
      const { raises, change } = onShop(0, draft);
      expect(raises).toHaveLength(1);
      expect(await log.change(1)).toEqual({ ...change, id: 1, revision: 1, raised: [shop(1)] });
      expect(await log.change(2)).toBeUndefined();
    });

    it("lets a follower read what was committed, in order", async () => {
      await log.commit(commitOf([shop(0), env("staging", 0)], [document(undefined, "a", 1), document("staging", "a", 2)]));
      await log.commit(commitOf([shop(1)], [{ kind: "thing", project: "shop", key: "a" }]));
      const entries = await log.entriesAfter(0, 10);
      expect(entries.map(({ id }) => id)).toEqual([1, 2]);
      expect(sorted(entries[0]?.raised ?? [])).toEqual(sorted([shop(1), env("staging", 1)]));
      expect(entries[0]?.documents).toHaveLength(2);
      expect(entries[1]?.documents).toEqual([{ kind: "thing", project: "shop", key: "a", revision: 2 }]);
      expect(await log.entriesAfter(2, 10)).toEqual([]);
      expect(await log.entriesAfter(0, 1)).toHaveLength(1);
    });

    it("gives a lease to one holder at a time, with a fence that rises", async () => {
      expect(await log.takeLease("clock", "a", { now: 100, until: 200 })).toBe(1);
      expect(await log.takeLease("clock", "b", { now: 150, until: 250 })).toBeUndefined();
      expect(await log.takeLease("clock", "a", { now: 150, until: 300 })).toBe(1);
      expect(await log.takeLease("clock", "b", { now: 300, until: 400 })).toBe(2);
      await log.releaseLease("clock", "a");
      expect(await log.takeLease("clock", "a", { now: 350, until: 500 })).toBeUndefined();
      await log.releaseLease("clock", "b");
      expect(await log.takeLease("clock", "a", { now: 350, until: 500 })).toBe(3);
      expect(await log.takeLease("other", "b", { now: 350, until: 500 })).toBe(1);
    });

    it("has everything after it was closed and opened again", async () => {
      await log.commit(commitOf([shop(0)], [document(undefined, "__proto__", { constructor: 1 })]));
      const before = await log.load();
      await log.close();
      log = await store.open();
      expect(await log.load()).toEqual(before);
      expect(before.documents[0]?.key).toBe("__proto__");
      expect(await log.commit(onShop(1))).toEqual({ status: "committed", id: 2 });
    });
  });
}

const shop = (revision: number): StreamRevision => ({ project: "shop", revision });

const env = (environment: string, revision: number): StreamRevision => ({ project: "shop", environment, revision });

function document(environment: string | undefined, key: string, body: DocumentWrite["body"] & {}): DocumentWrite {
  return { kind: "thing", project: "shop", ...(environment === undefined ? {} : { environment }), key, body };
}

function onShop(revision: number, change: Partial<ChangeDraft> = {}): Commit {
  return commitOf([shop(revision)], [], { project: "shop", ...change });
}

function commitOf(raises: Raise[], documents: DocumentWrite[], change: Partial<ChangeDraft> = { project: "shop" }): Commit {
  return {
    raises,
    documents,
    change: {
      at: 1_000,
      actor: { id: "a", name: "Ada" },
      requestId: "r",
      action: "thing.edit",
      target: { kind: "thing", key: "a" },
      ...change,
    },
  };
}

const sorted = (streams: readonly StreamRevision[]): string[] => streams.map((stream) => JSON.stringify(stream)).sort();
