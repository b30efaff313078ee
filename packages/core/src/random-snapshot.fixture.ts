/** Random environments and contexts for the laws: mostly well-formed, with hostile names and garbage mixed in. */
import type { EvaluationContext, Json, Snapshot } from "@belay/protocol";
import fc from "fast-check";
import { snapshotOf } from "./vectors.fixture.ts";

/** Keys of flags and segments: few, so that they name one another, and half of them special to JavaScript. */
export const KEYS = ["a", "b", "c", "__proto__", "constructor", "toString"] as const;
const VARIANTS = ["on", "off", "__proto__"] as const;
const OWN_SPACES = ["share", "split"] as const;
const SHARED_SPACES = ["layer/x", "constructor"] as const;
const ATTRIBUTES = [
  "country",
  "n",
  "company.id",
  "tags",
  "__proto__",
  "constructor",
  "version",
  "at",
  "ip",
  "targetingKey",
] as const;

/** A value between a few that meet often and anything JSON can say. */
const texts = fc.constantFrom(
  "DE",
  "AT",
  "",
  "1",
  "ü",
  "1.2.3",
  "1.2.3-rc.1",
  "10.0.0.1",
  "2026-11-22T12:00:00Z",
  "\ud800",
  "\ue000",
  "😀",
);
const numbers = fc.constantFrom(-1, 0, 1, 1.5, 18, 1e21);
const scalars: fc.Arbitrary<Json> = fc.oneof(texts, numbers, fc.boolean());
const garbage: fc.Arbitrary<Json> = fc.oneof(
  scalars,
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  fc.constantFrom(null, [], {}),
);

const rare = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: usual, weight: 24 }, { arbitrary: odd, weight: 1 });

const usually = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: usual, weight: 4 }, { arbitrary: odd, weight: 1 });

function table<T>(names: readonly string[], value: fc.Arbitrary<T>): fc.Arbitrary<{ [name: string]: T }> {
  return fc
    .array(fc.tuple(fc.constantFrom(...names), value), { maxLength: names.length })
    .map((entries) => Object.fromEntries(entries));
}

const OPERANDS: readonly (readonly [op: string, value: fc.Arbitrary<Json>])[] = [
  ["in", fc.oneof(scalars, fc.array(scalars, { maxLength: 7 }) as fc.Arbitrary<Json>)],
  ["contains", fc.oneof(texts, fc.array(texts, { maxLength: 3 }) as fc.Arbitrary<Json>)],
  ["startsWith", texts],
  ["endsWith", texts],
  ["matches", fc.constantFrom("^D", "E$", "^[0-9.]+$", "(?i)de", "")],
  ["lt", fc.oneof(numbers, texts)],
  ["lte", numbers],
  ["gt", fc.oneof(numbers, texts)],
  ["gte", numbers],
  ["before", fc.constantFrom("2026-11-22T12:00:00Z", "2030-01-01T00:00:00+01:00")],
  ["after", fc.constantFrom("2026-11-22T12:00:00Z", "1999-12-31T23:59:60Z")],
  ["semverEq", fc.constantFrom("1.2.3", "1.2.3-rc.1+b")],
  ["semverLt", fc.constantFrom("1.2.3", "2.0.0")],
  ["semverGte", fc.constantFrom("1.2.3", "1.2.3-rc.2")],
  ["exists", fc.boolean()],
  ["cidr", fc.constantFrom<Json>("10.0.0.0/8", ["::/0"], "10.0.0.2")],
];

const test = fc
  .constantFrom(...OPERANDS)
  .chain(([op, value]) =>
    fc.record({ attribute: fc.constantFrom(...ATTRIBUTES), op: fc.constant(op), value: rare(value, garbage) }),
  );
const ppm = fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.constantFrom(0, 1, 500_000, 999_999, 1_000_000));
const ranges = fc.array(fc.uniqueArray(ppm, { minLength: 2, maxLength: 6 }), { maxLength: 1 }).map((lists) => {
  const edges = (lists[0] ?? []).sort((a, b) => a - b);
  return Array.from({ length: Math.floor(edges.length / 2) }, (_, i) => [edges[2 * i], edges[2 * i + 1]]) as Json;
});
const draw = (spaces: readonly string[]): fc.Arbitrary<Json> =>
  fc.record({
    space: rare(fc.constantFrom(...spaces), fc.constant("layer/none")),
    in: rare(ranges, garbage),
  }) as fc.Arbitrary<Json>;
const flagTest = fc.record({
  flag: rare(fc.constantFrom<string>(...KEYS), fc.constant("missing")),
  variants: fc.subarray([...VARIANTS]),
}) as fc.Arbitrary<Json>;

function condition(spaces: readonly string[]): fc.Arbitrary<Json> {
  const leaf = fc.oneof(
    { arbitrary: test as fc.Arbitrary<Json>, weight: 8 },
    { arbitrary: fc.record({ draw: draw(spaces) }) as fc.Arbitrary<Json>, weight: 3 },
    {
      arbitrary: fc.record({ segment: rare(fc.constantFrom<string>(...KEYS), fc.constant("missing")) }) as fc.Arbitrary<Json>,
      weight: 1,
    },
    { arbitrary: flagTest, weight: 1 },
  );
  return fc.letrec<{ tree: Json }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      leaf,
      fc.record({ all: fc.array(tie("tree"), { maxLength: 3 }) }) as fc.Arbitrary<Json>,
      fc.record({ any: fc.array(tie("tree"), { maxLength: 3 }) }) as fc.Arbitrary<Json>,
      fc.record({ not: tie("tree") }) as fc.Arbitrary<Json>,
    ),
  })).tree;
}

const space = fc.record(
  { salt: fc.constantFrom("k3v9x2qa", "", "ab", "größe"), by: fc.constantFrom("company.id", "country", "__proto__", "n") },
  { requiredKeys: ["salt"] },
);
const anySpaces = [...OWN_SPACES, ...SHARED_SPACES];
const tracks = fc.constantFrom<Json>({ experiment: "e", epoch: 3 }, { release: "r" });
const part = fc.record(
  { variant: fc.constantFrom(...VARIANTS), draws: fc.array(draw(anySpaces), { maxLength: 2 }), tracks },
  { requiredKeys: ["variant", "draws"] },
);
const serve = fc.oneof(
  fc.record({ variant: rare(fc.constantFrom<string>(...VARIANTS), fc.constant("dark")) }),
  fc.record({ split: fc.array(part, { maxLength: 3 }) }),
) as fc.Arbitrary<Json>;
const rule = fc.record({ id: fc.constantFrom("r1", "r2"), when: condition(anySpaces), serve }, { requiredKeys: ["id", "serve"] });

const VALUES: { readonly [type: string]: Json } = {
  boolean: { on: true, off: false, ["__proto__"]: true },
  string: Object.fromEntries([
    ["on", "x"],
    ["off", ""],
    ["__proto__", "p"],
  ]),
  number: Object.fromEntries([
    ["on", 1],
    ["off", 0],
    ["__proto__", -1],
  ]),
  object: Object.fromEntries([
    ["on", { a: [1] }],
    ["off", []],
    ["__proto__", {}],
  ]),
};

const flag = fc.constantFrom(...Object.keys(VALUES)).chain((type) =>
  fc.record(
    {
      type: fc.constant(type),
      variants: fc.constant(VALUES[type] as Json),
      spaces: fc.record({ share: space, split: space }),
      enabled: fc.oneof({ arbitrary: fc.constant(true), weight: 6 }, { arbitrary: fc.constant(false), weight: 1 }),
      off: fc.constantFrom(...VARIANTS),
      prerequisites: fc.array(flagTest, { maxLength: 2 }),
      rules: fc.array(rule, { maxLength: 3 }),
      fallthrough: serve,
    },
    { requiredKeys: ["type", "variants", "spaces", "enabled", "rules"] },
  ),
) as fc.Arbitrary<Json>;

/** The value with one place inside it replaced: what a bug elsewhere would send. */
const damaged = fc
  .tuple(flag, fc.array(fc.nat(6), { minLength: 1, maxLength: 6 }), garbage)
  .map(([value, path, by]) => replaced(value, path, by));

function replaced(value: Json, [step, ...rest]: readonly number[], by: Json): Json {
  if (step === undefined || typeof value !== "object" || value === null) return by;
  const entries = Object.entries(value);
  const at = step % Math.max(1, entries.length);
  const changed = entries.map(([name, inner], i) => [name, i === at ? replaced(inner, rest, by) : inner] as const);
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed);
}

export const flags: fc.Arbitrary<Json> = fc.oneof(
  { arbitrary: flag, weight: 12 },
  { arbitrary: damaged, weight: 2 },
  { arbitrary: garbage, weight: 1 },
);

/** Through JSON, so that a key `__proto__` is an own property as it is when it comes over a wire. */
export const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    flags: table([...KEYS], flags),
    segments: table([...KEYS], rare(condition(SHARED_SPACES), garbage)),
    spaces: table([...SHARED_SPACES], rare(space as fc.Arbitrary<Json>, garbage)),
  })
  .map((content) => JSON.parse(JSON.stringify(snapshotOf(content as never))) as Snapshot);

const attributeValue: fc.Arbitrary<Json> = fc.oneof(scalars, fc.array(scalars, { maxLength: 3 }) as fc.Arbitrary<Json>, garbage);

export const contexts: fc.Arbitrary<EvaluationContext> = fc
  .tuple(
    table([...ATTRIBUTES, "company"], attributeValue),
    fc.option(fc.record({ id: attributeValue }), { nil: undefined }),
    usually<Json>(
      fc.nat(1_000).map((i) => `user-${i}`),
      garbage,
    ),
  )
  .map(([named, company, targetingKey]) => {
    const entries: [string, unknown][] = [["targetingKey", targetingKey], ...Object.entries(named)];
    if (company !== undefined) entries.push(["company", company]);
    return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as EvaluationContext;
  });

/** The same document with the keys of every object in another order. */
export function reordered<T>(value: T): T {
  if (Array.isArray(value)) return value.map((inner: unknown) => reordered(inner)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, reordered(inner)])
      .reverse(),
  ) as T;
}
