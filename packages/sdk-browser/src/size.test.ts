// @ts-expect-error it brings no types; its one export is a list of plugins
import filePlugin from "@size-limit/file";
import sizeLimit from "size-limit";
import { afterAll, describe, expect, it } from "vitest";
import { bundled } from "./bundle.fixture.ts";

const KIB = 1_024;

/** What a page pays, by what it imports: bytes of the minified file after gzip. */
const BUDGETS = [
  ["init, isEnabled, value, streaming, exposures that survive the tab", 'export { createLeanClient } from "sdk";', 6 * KIB],
  ["everything: evaluate, peek and track too", 'export { createClient } from "sdk";', 6.4 * KIB],
  ["with rules kept and values rendered", 'export { createClient, fromValues, localKeeper } from "sdk";', 6.6 * KIB],
  ["answers that a server decided", 'export { createRemoteClient } from "remote";', 5 * KIB],
  ["deciding alone, without a client", 'export { rulesOf } from "compact";', 2.6 * KIB],
  ["one constructor of rules from values alone", 'export { fromValues } from "sdk";', 0.3 * KIB],
] as const;

const folders: { remove(): Promise<void> }[] = [];
afterAll(() => Promise.all(folders.map((folder) => folder.remove())));

describe("a page pays no more than the budget for", () => {
  it.each(BUDGETS)("%s", async (_, code, budget) => {
    const { file, folder } = await bundled(code);
    folders.push(folder);
    const [{ size }] = (await sizeLimit([filePlugin], { checks: [{ files: [file], gzip: true }] })) as [{ size: number }];
    expect(size).toBeLessThanOrEqual(budget);
  });
});
