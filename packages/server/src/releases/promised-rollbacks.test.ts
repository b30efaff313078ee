import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type PromisedRollback, PromisedRollbacks } from "./promised-rollbacks.ts";

let dir: TempDir;
let file: string;
beforeEach(async () => {
  dir = await tempDir("promised");
  file = join(dir.path, "promised.json");
});
afterEach(() => dir.remove());

const rollback = (key: string, at = 1): PromisedRollback => ({
  id: { project: "shop", environment: "production", key },
  reason: { code: "rolled-back-by-person", subject: "Ann" },
  origin: { actor: { id: "ann", name: "Ann" }, requestId: "r", reason: "it burns" },
  at,
});

it("finds again, in order, what was promised and not settled", async () => {
  const promised = await PromisedRollbacks.open(file);
  await Promise.all(["a", "b", "c"].map((key) => promised.add(rollback(key))));
  await promised.settle(rollback("b"));
  expect((await PromisedRollbacks.open(file)).waiting).toEqual([rollback("a"), rollback("c")]);
});

it("keeps the first of several promises of one release", async () => {
  const promised = await PromisedRollbacks.open(file);
  await promised.add(rollback("a", 1));
  await promised.add(rollback("a", 2));
  expect((await PromisedRollbacks.open(file)).waiting).toEqual([rollback("a", 1)]);
});

it("keeps in memory what a disk takes not, says so, and writes it down once it can", async () => {
  const blocked = join(dir.path, "blocked");
  await writeFile(blocked, "");
  const promised = new PromisedRollbacks(join(blocked, "promised.json"), [rollback("a")]);
  expect(await promised.add(rollback("b"))).toBe(false);
  expect(promised.waiting).toEqual([rollback("a"), rollback("b")]);
  await promised.keep();
  expect(await promised.add(rollback("b", 2))).toBe(false);
  await rm(blocked);
  await promised.keep();
  expect((await PromisedRollbacks.open(join(blocked, "promised.json"))).waiting).toEqual([rollback("a"), rollback("b")]);
  expect(await promised.add(rollback("c"))).toBe(true);
});

it("passes over a file that was cut", async () => {
  await (await PromisedRollbacks.open(file)).add(rollback("a"));
  await writeFile(file, '{"format":1,"sum":"0');
  expect((await PromisedRollbacks.open(file)).waiting).toEqual([]);
});
