import { describe, expect, it } from "vitest";
import { isFor } from "./message.ts";
import { outcomeOf, RETRY_DELAYS_MS } from "./retries.ts";

describe("a webhook", () => {
  it.each([
    [["flag.*"], [], "flag.edit", ["production"], true],
    [["flag.edit"], [], "flag.edits", [], false],
    [["*"], [], "webhook.test", [], true],
    [[], ["production"], "targeting.edit", ["staging"], false],
    [[], ["production"], "targeting.edit", ["staging", "production"], true],
    [[], ["production"], "flag.edit", [], true],
    [["flag.*"], ["production"], "targeting.edit", ["production"], false],
  ])("for types %j and environments %j: is %s in %j told? %j", (types, environments, type, where, expected) => {
    const document = { name: "n", url: "u", format: "json", secrets: [], createdAt: "", types, environments } as const;
    expect(isFor({ ...document, enabled: true }, { type, environments: where })).toBe(expected);
    expect(isFor({ ...document, enabled: false }, { type, environments: where })).toBe(false);
  });
});

describe("a try", () => {
  it.each([
    [{ status: 204 }, 1, { status: "delivered" }],
    [{ status: 302 }, 1, { status: "pending", retryAtMs: 1_005_000 }],
    [{ status: 500 }, 4, { status: "pending", retryAtMs: 1_600_000 }],
    [{ status: 429, retryAfterMs: 60_000 }, 1, { status: "pending", retryAtMs: 1_060_000 }],
    [{ status: 503, retryAfterMs: 1e12 }, 1, { status: "pending", retryAtMs: 87_400_000 }],
    [{}, RETRY_DELAYS_MS.length, { status: "pending", retryAtMs: 87_400_000 }],
    [{}, RETRY_DELAYS_MS.length + 1, { status: "dead" }],
    [{ status: 410 }, 1, { status: "dead" }],
    [{ isFinal: true }, 1, { status: "dead" }],
  ] as const)("that meets %j at try %i: %j", (met, tries, expected) => {
    expect(outcomeOf(met, tries, 1_000_000, 0.5)).toEqual(expected);
  });
});
