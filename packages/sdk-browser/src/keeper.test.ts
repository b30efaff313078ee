import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { localKeeper } from "./keeper.ts";
import { rollout, snapshotOf } from "./rules.fixture.ts";

const NAME = "belay/1";
const RULES = snapshotOf(7, { "checkout-v2": rollout(500_000) });

/** A page's storage that takes so many characters. */
function storageOf(room: number): Pick<Storage, "getItem" | "setItem" | "removeItem"> & { readonly held: Map<string, string> } {
  const held = new Map<string, string>();
  return {
    held,
    getItem: (name) => held.get(name) ?? null,
    setItem: (name, text) => {
      if (text.length > room) throw new DOMException("full", "QuotaExceededError");
      held.set(name, text);
    },
    removeItem: (name) => void held.delete(name),
  };
}

let storage: ReturnType<typeof storageOf>;
beforeEach(() => {
  storage = storageOf(5_000_000);
  vi.stubGlobal("localStorage", storage);
  onTestFinished(() => void vi.unstubAllGlobals());
});

describe("rules kept in a page's storage", () => {
  it("come back as they were", () => {
    localKeeper.write(NAME, RULES);
    expect(localKeeper.read(NAME)).toEqual(RULES);
  });

  it("take at most 500,000 characters: larger ones are not kept, and older ones are not left in their place", () => {
    const long = (characters: number) => snapshotOf(8, { text: { ...rollout(0), variants: { on: "x".repeat(characters) } } });
    const rest = JSON.stringify(long(0)).length;
    localKeeper.write(NAME, long(500_000 - rest));
    expect(storage.held.get(NAME)?.length).toBe(500_000);
    localKeeper.write(NAME, long(500_001 - rest));
    expect([localKeeper.read(NAME), storage.held.size]).toEqual([undefined, 0]);
  });

  it.each([
    ["of another schema", JSON.stringify({ ...RULES, format: 2 })],
    ["cut", JSON.stringify(RULES).slice(0, -1)],
    ["without a revision", JSON.stringify({ ...RULES, revision: undefined })],
    ["foreign", "null"],
  ])("are none where they are %s", (_, text) => {
    storage.held.set(NAME, text);
    expect(localKeeper.read(NAME)).toBeUndefined();
  });

  it("cost nothing where storage is full or forbidden", () => {
    const full = storageOf(10);
    vi.stubGlobal("localStorage", full);
    localKeeper.write(NAME, RULES);
    expect(full.held.size).toBe(0);
    vi.stubGlobal("localStorage", undefined);
    localKeeper.write(NAME, RULES);
    expect(localKeeper.read(NAME)).toBeUndefined();
  });
});
