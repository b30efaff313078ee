import type { Json } from "@belay/protocol";
import { E, P, type TestServer } from "../app.fixture.ts";

/** A flag of each kind of answer, in production; `browser-*` are for browsers too. */
export const SHOP: Readonly<Record<string, { readonly flag: object; readonly targeting: object }>> = {
  "browser-banner": {
    flag: { type: "boolean", clientSide: true },
    targeting: {
      off: "off",
      rules: [{ id: "de", when: { attribute: "country", op: "in", value: ["DE"] }, serve: { variant: "on" } }],
      fallthrough: { variant: "off" },
    },
  },
  "browser-title": text({ plain: "Hello", loud: "HELLO" }, { variant: "plain" }, true),
  count: {
    flag: { type: "number", variants: { few: 2, many: 40.5 }, metadata: { ticket: "SHOP-7", beta: true } },
    targeting: { fallthrough: { variant: "many" } },
  },
  layout: {
    flag: { type: "object", variants: { wide: { columns: 3, gaps: [1, 2] } } },
    targeting: { fallthrough: { variant: "wide" } },
  },
  pricing: text({ compact: "c", roomy: "r" }, { weights: { compact: 50, roomy: 50 }, tracks: { experiment: "pricing-test" } }),
  valueless: { flag: { type: "boolean" }, targeting: {} },
};

function text(variants: Readonly<Record<string, Json>>, fallthrough: object, clientSide = false) {
  return { flag: { type: "string", variants, clientSide }, targeting: { fallthrough } };
}

export async function openShop({ ask }: Pick<TestServer, "ask">): Promise<void> {
  for (const [key, { flag, targeting }] of Object.entries(SHOP)) {
    await ask("POST", `${P}/flags`, { key, ...flag });
    await ask("PUT", `${E}/flags/${key}`, { enabled: true, rules: [], ...targeting });
  }
}
