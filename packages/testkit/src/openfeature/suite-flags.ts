/*
 * The flags that the specification's scenarios ask for, as a snapshot holds them: two variants a type, some that serve the
 * type's zero, some that look at the context, some that are disabled.
 */
interface SuiteFlag {
  readonly type: string;
  readonly variants: Readonly<Record<string, unknown>>;
  readonly enabled: boolean;
  readonly rules: readonly object[];
  readonly fallthrough: { readonly variant: string };
  readonly off?: string;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

const TEMPLATE = { showImages: true, title: "Check out these pics!", imagesPerPage: 100 };

/** Type, two variants with the served one last, value other than zero, zero. */
const KINDS = [
  ["boolean", "boolean", { off: false, on: true }, true, false],
  ["string", "string", { parting: "bye", greeting: "hi" }, "str", ""],
  ["integer", "number", { one: 1, ten: 10 }, 1, 0],
  ["float", "number", { tenth: 0.1, half: 0.5 }, 1, 0],
  ["object", "object", { empty: {}, template: TEMPLATE }, TEMPLATE, {}],
] as const;

/** Flags of a snapshot by key. */
export const SUITE_FLAGS: Readonly<Record<string, object>> = {
  ...Object.fromEntries(KINDS.flatMap(flagsOf)),
  "metadata-flag": {
    ...serving("boolean", { off: false, on: true }),
    metadata: { string: "1.0.2", integer: 2, float: 0.1, boolean: true },
  },
  "off-flag": { ...serving("boolean", { off: false, on: true }), enabled: false, off: "off" },
  "wrong-flag": serving("string", { two: "dos", one: "uno" }),
  "complex-targeted": internalFor([
    { attribute: "customer", op: "in", value: false },
    { attribute: "email", op: "in", value: "ballmer@macrosoft.com" },
    { attribute: "age", op: "gt", value: 10 },
  ]),
  "context-aware": internalFor([
    { attribute: "fn", op: "in", value: "Sulisław" },
    { attribute: "ln", op: "in", value: "Świętopełk" },
    { attribute: "age", op: "in", value: 29 },
    { attribute: "customer", op: "in", value: [false, "false"] },
  ]),
};

/** An experiment that puts everybody into one of two arms, and so records whom it met. */
export const PRICING: object = {
  type: "string",
  variants: { compact: "compact", roomy: "roomy" },
  enabled: true,
  spaces: { split: { salt: "ijklmnop" } },
  rules: [{ id: "halves", serve: { split: [arm("compact", 0, 500_000), arm("roomy", 500_000, 1_000_000)] } }],
};

function arm(variant: string, from: number, to: number): object {
  return { variant, draws: [{ space: "split", in: [[from, to]] }], tracks: { experiment: "pricing-test", epoch: 1 } };
}

function flagsOf([name, type, variants, full, zero]: (typeof KINDS)[number]): [string, SuiteFlag][] {
  const zeros = serving(type, { "non-zero": full, zero });
  const rule = {
    id: "ballmer",
    when: { attribute: "email", op: "in", value: "ballmer@macrosoft.com" },
    serve: { variant: "zero" },
  };
  return [
    [`${name}-flag`, serving(type, variants)],
    [`${name}-zero-flag`, zeros],
    [`${name}-targeted-zero-flag`, { ...zeros, rules: [rule] }],
    [`${name}-disabled-flag`, { ...serving(type, variants), enabled: false }],
  ];
}

/** Serves the last of the variants to everybody. */
function serving(type: string, variants: Readonly<Record<string, unknown>>): SuiteFlag {
  return { type, variants, enabled: true, rules: [], fallthrough: { variant: Object.keys(variants).at(-1) ?? "" } };
}

function internalFor(all: readonly object[]): SuiteFlag {
  const flag = serving("string", { internal: "INTERNAL", external: "EXTERNAL" });
  return { ...flag, rules: [{ id: "internal", when: { all }, serve: { variant: "internal" } }] };
}
