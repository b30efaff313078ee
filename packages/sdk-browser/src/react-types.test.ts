import { describe, expectTypeOf, it } from "vitest";
import { type FlagName, useFlag, useFlagDetails } from "./react.tsx";

declare module "./react.tsx" {
  interface Flags {
    readonly "checkout-v2": boolean;
    readonly pricing: "none" | "compact" | "roomy";
  }
}

/** Never run: what matters is what compiles. */
function Uses() {
  expectTypeOf(useFlag("checkout-v2", false)).toEqualTypeOf<boolean>();
  expectTypeOf(useFlag("pricing", "compact")).toEqualTypeOf<"none" | "compact" | "roomy">();
  expectTypeOf(useFlagDetails("pricing", "compact").value).toEqualTypeOf<"none" | "compact" | "roomy">();
  // @ts-expect-error no flag of this application has this key
  useFlag("checkout-v3", false);
  // @ts-expect-error the flag is a boolean
  useFlag("checkout-v2", "off");
  // @ts-expect-error the flag has no such variant
  useFlag("pricing", "huge");
  return null;
}

describe("declared flags", () => {
  it("are the only keys there are, each with its own type", () => {
    expectTypeOf<FlagName>().toEqualTypeOf<"checkout-v2" | "pricing">();
    expectTypeOf(Uses).returns.toEqualTypeOf<null>();
  });
});
