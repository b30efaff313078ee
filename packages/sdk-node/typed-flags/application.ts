/*
 * An application that declares its flags. It is compiled by a test and never run: a mistake marked here that compiles
 * after all is an error, and so is a right line that does not.
 */
import { type BelayClient, createClient } from "@belay/sdk-node";
import { createTestClient } from "@belay/sdk-node/testing";

interface Limits {
  readonly rows: number;
}

declare module "@belay/sdk-node" {
  interface Flags {
    "checkout-v2": boolean;
    pricing: "compact" | "wide";
    "page-size": number;
    limits: Limits;
    countries: readonly string[];
  }
}

const belay: BelayClient = createClient({ offline: true });
const user = { targetingKey: "user-42" };

// Right: each has the declared type, not a wider one.
export const isOn: boolean = belay.isEnabled("checkout-v2", user, true);
export const layout: "compact" | "wide" = belay.value("pricing", user, "compact");
export const size: number = belay.value("page-size", user, 20);
export const rows: number = belay.value("limits", user, { rows: 5 }).rows;
export const countries: readonly string[] = belay.value("countries", user, []);
export const decided: "compact" | "wide" = belay.evaluate("pricing", user, "wide").value;
export const reason: string = belay.evaluate("limits", user, { rows: 5 }).reason;
export const lines: readonly string[] = belay.explain("pricing", user).lines;

// @ts-expect-error there is no such flag: a letter is missing
belay.isEnabled("checkout-v", user);
// @ts-expect-error this flag is no boolean
belay.isEnabled("pricing", user);
// @ts-expect-error the default of a boolean is a boolean
belay.isEnabled("checkout-v2", user, "yes");
// @ts-expect-error there is no such flag
belay.value("prices", user, "compact");
// @ts-expect-error the flag has no such value
belay.value("pricing", user, "roomy");
// @ts-expect-error the default of a number is a number
belay.value("page-size", user, "20");
// @ts-expect-error the default lacks a field of the declared object
belay.value("limits", user, {});
// @ts-expect-error a list is no object
belay.value("limits", user, []);
// @ts-expect-error an object is no list
belay.value("countries", user, {});
// @ts-expect-error there is no such flag
belay.evaluate("prices", user, "compact");
// @ts-expect-error the flag has no such value
belay.evaluate("pricing", user, "roomy");
// @ts-expect-error there is no such flag
belay.explain("prices", user);
// @ts-expect-error an answer may be "wide", too
export const narrow: "compact" = belay.value("pricing", user, "compact");

const test = createTestClient({ flags: { pricing: "wide", "checkout-v2": true } });
export const client: BelayClient = test;
export const takeBack: () => void = test.override({ limits: { rows: 7 } });

// @ts-expect-error the flag has no such value
createTestClient({ flags: { pricing: "roomy" } });
// @ts-expect-error there is no such flag
createTestClient({ flags: { prices: "wide" } });
// @ts-expect-error there is no such flag
createTestClient({ experiments: { prices: "pricing-2026" } });
// @ts-expect-error the flag is a boolean
test.override({ "checkout-v2": "on" });
