/** The whole evaluations of the vectors: small environments, and what is asked of each. */
import { firstHash, unitAt } from "./boundary.mjs";

const ON_OFF = { type: "boolean", variants: { on: true, off: false } };
const SHARE = { share: { salt: "k3v9x2qa" } };
const SPLIT = { split: { salt: "q7m2p4ra" } };

/** Every scenario: a name, a snapshot, and questions of it. */
export function scenarios() {
  return [
    plain(),
    rollouts(),
    boundaries(),
    comparison(),
    splits(),
    units(),
    targeting(),
    segments(),
    brokenSegments(),
    layers(),
    prerequisites(),
    brokenPrerequisites(),
    cycles(),
    deepChains(),
    malformed(),
    tooLarge(),
    hostileNames(),
    manyPaths(),
  ];
}

function environment(name, asks, { flags, segments = {}, spaces = {} }) {
  const snapshot = { format: 1, project: "vectors", environment: name, revision: 7, spaces, segments, flags };
  return { name, snapshot, asks };
}

const ask = (flags, contexts) => flags.flatMap((flag) => contexts.map((context) => ({ flag, context })));
const people = (count, more = {}) => Array.from({ length: count }, (_, i) => ({ targetingKey: `user-${i}`, ...more }));
const draw = (space, ...ranges) => ({ space, in: ranges });
const part = (variant, ...draws) => ({ variant, draws });
const when = (attribute, op, value) => ({ attribute, op, value });
const rule = (id, condition, serve) => ({ id, ...(condition === undefined ? {} : { when: condition }), serve });
const enabled = (rules, more = {}) => ({ ...ON_OFF, enabled: true, off: "off", rules, ...more });
const off = { variant: "off" };
const on = { variant: "on" };

function plain() {
  const flags = {
    static: enabled([], { fallthrough: on }),
    disabled: { ...ON_OFF, enabled: false, off: "off", rules: [], fallthrough: on },
    "disabled-without-off": { ...ON_OFF, enabled: false, rules: [], fallthrough: on },
    "nothing-serves": enabled([]),
    "rule-for-everybody": enabled([rule("all", undefined, on)], { fallthrough: off }),
    "fallthrough-after-rules": enabled([rule("de", when("country", "in", ["DE"]), on)], { fallthrough: off }),
    "no-fallthrough-after-rules": enabled([rule("de", when("country", "in", ["DE"]), on)]),
    "no-variants": { type: "boolean", variants: {}, enabled: true, rules: [] },
    text: { type: "string", variants: { a: "", b: "größe 😀" }, enabled: true, rules: [], fallthrough: { variant: "b" } },
    "empty-text": { type: "string", variants: { a: "" }, enabled: true, rules: [], fallthrough: { variant: "a" } },
    number: { type: "number", variants: { zero: 0, pi: 2.5 }, enabled: true, rules: [], fallthrough: { variant: "zero" } },
    object: {
      type: "object",
      variants: { o: { a: [1, null, { b: false }] } },
      enabled: true,
      rules: [],
      fallthrough: { variant: "o" },
    },
    list: { type: "object", variants: { l: [1, "two", null] }, enabled: true, rules: [], fallthrough: { variant: "l" } },
    "named-variants": {
      type: "string",
      variants: { "": "empty name", "a b": "blank", "😀": "smile" },
      enabled: true,
      off: "",
      rules: [rule("smile", when("mood", "in", "good"), { variant: "😀" })],
      fallthrough: { variant: "" },
    },
  };
  const contexts = [{}, { targetingKey: "user-1" }, { country: "DE" }, { country: "FR", mood: "good" }];
  return environment("plain", ask([...Object.keys(flags), "missing", ""], contexts), { flags });
}

function rollouts() {
  const shares = [0, 1, 100, 10_000, 125_000, 250_000, 500_000, 999_999, 1_000_000];
  const flags = Object.fromEntries([
    ...shares.map((share) => [`rollout-${share}`, rollout(share)]),
    ["fallthrough-split", enabled([], { spaces: SHARE, fallthrough: { split: [part("on", draw("share", [0, 500_000]))] } })],
    [
      "default-split",
      enabled([], {
        spaces: SHARE,
        fallthrough: { split: [part("on", draw("share", [0, 300_000])), part("off", draw("share", [300_000, 1_000_000]))] },
      }),
    ],
    [
      "several-ranges",
      enabled(
        [rule("r", undefined, { split: [part("on", draw("share", [0, 100_000], [300_000, 400_000], [900_000, 1_000_000]))] })],
        { spaces: SHARE, fallthrough: off },
      ),
    ],
    [
      "touching-ranges",
      enabled([rule("r", undefined, { split: [part("on", draw("share", [0, 250_000], [250_000, 500_000]))] })], {
        spaces: SHARE,
        fallthrough: off,
      }),
    ],
    [
      "empty-ranges",
      enabled([rule("r", undefined, { split: [part("on", draw("share", [5, 5], [5, 5]))] })], {
        spaces: SHARE,
        fallthrough: off,
      }),
    ],
    ["no-ranges", enabled([rule("r", undefined, { split: [part("on", draw("share"))] })], { spaces: SHARE, fallthrough: off })],
    ["no-parts", enabled([rule("r", undefined, { split: [] })], { fallthrough: off })],
    ["part-without-draws", enabled([rule("r", undefined, { split: [part("on")] })], { fallthrough: off })],
    [
      "first-part-wins",
      enabled(
        [
          rule("r", undefined, {
            split: [part("off", draw("share", [0, 400_000])), part("on", draw("share", [200_000, 1_000_000]))],
          }),
        ],
        { spaces: SHARE },
      ),
    ],
    [
      "two-rollouts",
      enabled(
        [
          rule("first", undefined, { split: [part("on", draw("share", [0, 200_000]))] }),
          rule("second", undefined, { split: [part("off", draw("share", [100_000, 600_000]))] }),
        ],
        { spaces: SHARE, fallthrough: on },
      ),
    ],
    [
      "two-spaces",
      enabled(
        [
          rule("first", undefined, { split: [part("on", draw("share", [0, 300_000]))] }),
          rule("second", undefined, { split: [part("off", draw("split", [0, 500_000]))] }),
        ],
        { spaces: { ...SHARE, ...SPLIT } },
      ),
    ],
  ]);
  const contexts = [...people(12), { targetingKey: "größe-😀" }, { targetingKey: "\ud800" }, {}];
  return environment("rollouts", ask(Object.keys(flags), contexts), { flags });
}

function rollout(share, more = {}) {
  const split = [part("on", draw("share", [0, share]))];
  return enabled([rule("rollout", undefined, { split })], { spaces: SHARE, fallthrough: off, ...more });
}

/** The last unit inside and the first outside of each end of a range, decided in each of the ways a draw can stand. */
function boundaries() {
  const ends = [1, 10_000, 250_000, 333_333, 500_000, 999_999];
  const salt = "edgesalt";
  const spaces = { share: { salt }, split: { salt } };
  const flags = Object.fromEntries(
    ends.flatMap((end) => {
      const below = draw("share", [0, end]);
      const above = draw("share", [end, 1_000_000]);
      const shapes = {
        line: [rule("r", undefined, { split: [part("on", below)] })],
        upper: [rule("r", undefined, { split: [part("on", above)] })],
        condition: [rule("r", { draw: below }, on)],
        "upper-condition": [rule("r", { draw: above }, on)],
        gaps: [rule("r", { draw: draw("share", [0, 1], [1, end], [end, end]) }, on)],
        "two-draws": [rule("r", undefined, { split: [part("on", below, draw("split", [0, end]))] })],
        "upper-two-draws": [rule("r", undefined, { split: [part("on", above, draw("split", [end, 1_000_000]))] })],
      };
      return Object.entries(shapes).map(([shape, rules]) => [`${shape}-${end}`, enabled(rules, { spaces, fallthrough: off })]);
    }),
  );
  const hashes = [0, ...ends.flatMap((end) => [firstHash(end) - 1, firstHash(end)]), 0xffffffff];
  const contexts = hashes.map((wanted) => ({ targetingKey: unitAt(salt, wanted) }));
  return environment("boundaries", ask(Object.keys(flags), contexts), { flags });
}

/** Treatment grows from one end, the tracked control from the other, the middle is not tracked. */
function comparison() {
  const shares = [0, 10_000, 100_000, 250_000, 500_000, 750_000, 1_000_000];
  const flags = Object.fromEntries(
    shares.map((share) => {
      const control = 1_000_000 - Math.min(share, 1_000_000 - share);
      const tracks = { release: "rel", epoch: 3 };
      const split = [
        { ...part("on", draw("share", [0, share])), tracks },
        { ...part("off", draw("share", [control, 1_000_000])), tracks },
      ];
      return [`compare-${share}`, enabled([rule("release", undefined, { split })], { spaces: SHARE, fallthrough: off })];
    }),
  );
  return environment("comparison", ask(Object.keys(flags), [...people(25), {}]), { flags });
}

function splits() {
  const weights = (...ppm) => {
    const ends = ppm.map((_, i) => ppm.slice(0, i + 1).reduce((sum, size) => sum + size));
    return ppm.map((size, i) => [`v${i}`, [ends[i] - size, ends[i]]]);
  };
  const variants = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`v${i}`, i]));
  const experiment = (ppm, gate) => ({
    type: "number",
    variants: variants(ppm.length),
    enabled: true,
    spaces: { ...SHARE, ...SPLIT },
    rules: [
      rule("exp", undefined, {
        split: weights(...ppm).map(([variant, range]) => ({
          ...part(variant, ...(gate === undefined ? [] : [draw("share", [0, gate])]), draw("split", range)),
          tracks: { experiment: "exp", epoch: 12 },
        })),
      }),
    ],
    fallthrough: { variant: "v0" },
  });
  const flags = {
    half: experiment([500_000, 500_000]),
    thirds: experiment([333_300, 333_300, 333_400]),
    "thirds-of-a-tenth": experiment([333_300, 333_300, 333_400], 100_000),
    "a-quarter-of-all": experiment([500_000, 500_000], 250_000),
    "twelve-ways": experiment(Array.from({ length: 12 }, (_, i) => (i === 0 ? 83_337 : 83_333))),
    "one-in-a-million": experiment([1, 999_999]),
    "untracked-epoch": {
      ...experiment([500_000, 500_000]),
      rules: [rule("exp", undefined, { split: [{ ...part("v0", draw("split", [0, 500_000])), tracks: { experiment: "exp" } }] })],
    },
  };
  return environment("splits", ask(Object.keys(flags), [...people(20), { targetingKey: "" }]), { flags });
}

/** Who is the unit, and what happens without one. */
function units() {
  const by = (path) => ({ share: { salt: "k3v9x2qa", by: path }, split: { salt: "q7m2p4ra" } });
  const split = [part("on", draw("share", [0, 500_000]))];
  const flags = {
    key: rollout(500_000),
    company: enabled([rule("r", undefined, { split })], { spaces: by("company.id"), fallthrough: off }),
    anonymous: enabled([rule("r", undefined, { split })], { spaces: by("anonymousId"), fallthrough: off }),
    "by-proto": enabled([rule("r", undefined, { split })], { spaces: by("__proto__"), fallthrough: off }),
    "by-constructor": enabled([rule("r", undefined, { split })], { spaces: by("constructor"), fallthrough: off }),
    both: enabled([rule("r", undefined, { split: [part("on", draw("share", [0, 700_000]), draw("split", [0, 700_000]))] })], {
      spaces: by("company.id"),
      fallthrough: off,
    }),
    "asked-only-in-germany": enabled([rule("r", when("country", "in", "DE"), { split })], { spaces: SHARE, fallthrough: on }),
    "as-condition": enabled([rule("r", { draw: draw("share", [0, 500_000]) }, on)], { spaces: SHARE, fallthrough: off }),
    "as-negated-condition": enabled([rule("r", { not: { draw: draw("share", [0, 500_000]) } }, on)], {
      spaces: SHARE,
      fallthrough: off,
    }),
    "no-draws-no-unit": enabled([rule("r", undefined, { split: [part("on")] })], { fallthrough: off }),
    "tracked-by-company": enabled(
      [rule("r", undefined, { split: [{ ...part("on", draw("share", [0, 1_000_000])), tracks: { experiment: "e" } }] })],
      { spaces: by("company.id") },
    ),
    "tracked-without-draws": enabled([rule("r", undefined, { split: [{ ...part("on"), tracks: { experiment: "e" } }] })]),
  };
  const keys = [
    "user-1",
    "user-2",
    "",
    0,
    42,
    -0,
    1.5,
    1e21,
    true,
    false,
    null,
    [],
    ["user-1"],
    {},
    { id: "user-1" },
    "x".repeat(10_000),
    "ü",
    "\udc00",
  ];
  const contexts = [
    {},
    ...keys.map((targetingKey) => ({ targetingKey })),
    { targetingKey: "user-1", company: { id: "acme" } },
    { targetingKey: "user-1", company: { id: 42 }, country: "DE" },
    { company: { id: "acme" }, country: "DE" },
    { "company.id": "whole name", company: { id: "acme" } },
    { targetingKey: "user-1", anonymousId: "anon-9" },
    JSON.parse('{"__proto__":"u1","constructor":"u2","targetingKey":"u3"}'),
    JSON.parse('{"__proto__":{"targetingKey":"inherited"}}'),
  ];
  return environment("units", ask(Object.keys(flags), contexts), { flags });
}

function targeting() {
  const germany = when("country", "in", ["DE", "AT"]);
  const pro = when("company.plan", "in", "pro");
  const flags = {
    "in-order": enabled([rule("first", germany, off), rule("second", pro, on), rule("third", undefined, off)]),
    all: enabled([rule("r", { all: [germany, pro] }, on)], { fallthrough: off }),
    any: enabled([rule("r", { any: [germany, pro] }, on)], { fallthrough: off }),
    "all-of-nothing": enabled([rule("r", { all: [] }, on)], { fallthrough: off }),
    "any-of-nothing": enabled([rule("r", { any: [] }, on)], { fallthrough: off }),
    not: enabled([rule("r", { not: germany }, on)], { fallthrough: off }),
    "not-missing": enabled([rule("r", { not: when("age", "lt", 18) }, on)], { fallthrough: off }),
    nested: enabled(
      [
        rule(
          "r",
          { any: [{ all: [germany, { not: pro }] }, { all: [{ not: germany }, { any: [pro, when("beta", "in", true)] }] }] },
          on,
        ),
      ],
      { fallthrough: off },
    ),
    "passed-over": enabled(
      [rule("share", germany, { split: [part("on", draw("share", [0, 200_000]))] }), rule("rest", germany, off)],
      { spaces: SHARE, fallthrough: on },
    ),
    "share-and-country": enabled([rule("r", { all: [germany, { draw: draw("share", [0, 500_000]) }] }, on)], {
      spaces: SHARE,
      fallthrough: off,
    }),
    "share-twice": enabled(
      [
        rule("a", { draw: draw("share", [0, 500_000]) }, { split: [part("on", draw("share", [0, 250_000]))] }),
        rule("b", { draw: draw("share", [0, 500_000]) }, off),
      ],
      { spaces: SHARE },
    ),
  };
  const contexts = people(6).flatMap((person) => [
    person,
    { ...person, country: "DE" },
    { ...person, country: "FR", company: { plan: "pro" } },
    { ...person, country: ["FR", "AT"], beta: true, age: 17 },
  ]);
  return environment("targeting", ask(Object.keys(flags), contexts), { flags });
}

function segments() {
  const all = {
    germans: when("country", "in", "DE"),
    payers: when("plan", "in", ["pro", "team"]),
    "german-payers": { all: [{ segment: "germans" }, { segment: "payers" }] },
    others: { not: { segment: "german-payers" } },
    lucky: { draw: draw("holdout/main", [0, 500_000]) },
    "flag-is-on": { flag: "base", variants: ["on"] },
    constructor: { any: [] },
  };
  const flags = Object.fromEntries([
    ["base", rollout(500_000)],
    ...Object.keys(all).map((segment) => [`in-${segment}`, enabled([rule("r", { segment }, on)], { fallthrough: off })]),
    [
      "in-two",
      enabled([rule("r", { any: [{ segment: "germans" }, { segment: "lucky" }, { segment: "germans" }] }, on)], {
        fallthrough: off,
      }),
    ],
    [
      "own-name-wins",
      enabled([rule("r", { all: [{ draw: draw("holdout/main", [0, 500_000]) }, { segment: "lucky" }] }, on)], {
        spaces: { "holdout/main": { salt: "ownsalt1" } },
        fallthrough: off,
      }),
    ],
  ]);
  const contexts = [...people(5), ...people(3, { country: "DE" }), ...people(3, { country: "DE", plan: "pro" }), {}];
  return environment("segments", ask(Object.keys(flags), contexts), {
    flags,
    segments: all,
    spaces: { "holdout/main": { salt: "h0ld0ut1" } },
  });
}

function brokenSegments() {
  const all = {
    loop: { segment: "loop" },
    ping: { segment: "pong" },
    pong: { any: [{ segment: "ping" }, when("a", "exists", true)] },
    "names-missing": { segment: "missing" },
    "names-loop": { not: { segment: "loop" } },
    "no-condition": null,
    "bad-operator": when("a", "like", "x"),
    "missing-space": { draw: draw("layer/none", [0, 1]) },
    "missing-flag": { flag: "none", variants: ["on"] },
    "own-space-of-a-flag": { draw: draw("share", [0, 1_000_000]) },
    fine: when("a", "exists", true),
  };
  const flags = Object.fromEntries([
    ...[...Object.keys(all), "missing", "__proto__"].map((segment) => [
      `in-${segment}`,
      rollout(1_000_000, { rules: [rule("r", { any: [{ all: [] }, { segment }] }, on)] }),
    ]),
    ["disabled-but-broken", { ...ON_OFF, enabled: false, off: "off", rules: [rule("r", { segment: "loop" }, on)] }],
    ["asks-a-broken-flag", enabled([rule("r", { flag: "in-loop", variants: ["on"] }, on)], { fallthrough: off })],
    ["neighbour", rollout(500_000)],
  ]);
  return environment("broken-segments", ask(Object.keys(flags), [{ targetingKey: "user-1" }, { targetingKey: "user-2", a: 1 }]), {
    flags,
    segments: all,
  });
}

/** Two experiments share a layer and never a person; a holdout gets neither. */
function layers() {
  const spaces = {
    "layer/checkout": { salt: "l4y3rch0" },
    "layer/company": { salt: "l4y3rc0m", by: "company" },
    "holdout/2026": { salt: "h0ld2026" },
    "not/a-space": { salt: 7 },
  };
  const held = draw("holdout/2026", [50_000, 1_000_000]);
  const experiment = (range, name) => ({
    type: "string",
    variants: { control: "c", treatment: "t" },
    enabled: true,
    spaces: SPLIT,
    rules: [
      rule(name, undefined, {
        split: [
          {
            ...part("control", held, draw("layer/checkout", range), draw("split", [0, 500_000])),
            tracks: { experiment: name, epoch: 5 },
          },
          {
            ...part("treatment", held, draw("layer/checkout", range), draw("split", [500_000, 1_000_000])),
            tracks: { experiment: name, epoch: 5 },
          },
        ],
      }),
    ],
    fallthrough: { variant: "control" },
  });
  const flags = {
    first: experiment([0, 400_000], "first"),
    second: experiment([400_000, 1_000_000], "second"),
    "by-company": enabled([rule("r", undefined, { split: [part("on", draw("layer/company", [0, 500_000]))] })], {
      fallthrough: off,
    }),
    "missing-layer": enabled([rule("r", undefined, { split: [part("on", draw("layer/none", [0, 500_000]))] })], {
      fallthrough: off,
    }),
    "broken-layer": enabled([rule("r", undefined, { split: [part("on", draw("not/a-space", [0, 500_000]))] })], {
      fallthrough: off,
    }),
    "other-flags-space": enabled([rule("r", undefined, { split: [part("on", draw("split", [0, 500_000]))] })], {
      fallthrough: off,
    }),
  };
  const contexts = [...people(30), ...people(4).map((person, i) => ({ ...person, company: `acme-${i % 2}` })), {}];
  return environment("layers", ask(Object.keys(flags), contexts), { flags, spaces });
}

function prerequisites() {
  const needs = (flag, ...variants) => ({ prerequisites: [{ flag, variants }], fallthrough: on });
  const flags = {
    base: rollout(500_000),
    german: enabled([rule("de", when("country", "in", "DE"), on)], { fallthrough: off }),
    dark: { ...ON_OFF, enabled: false, off: "off", rules: [] },
    "dark-nothing": { ...ON_OFF, enabled: false, rules: [] },
    color: {
      type: "string",
      variants: { red: "r", blue: "b" },
      enabled: true,
      rules: [rule("r", when("country", "in", "DE"), { variant: "red" })],
      fallthrough: { variant: "blue" },
    },
    "needs-base": enabled([], needs("base", "on")),
    "needs-base-off": enabled([], needs("base", "off")),
    "needs-german": enabled([rule("r", when("plan", "exists", true), on)], { ...needs("german", "on"), fallthrough: off }),
    "needs-both": enabled([], {
      prerequisites: [
        { flag: "base", variants: ["on"] },
        { flag: "german", variants: ["on"] },
      ],
      fallthrough: on,
    }),
    "needs-dark": enabled([], needs("dark", "off")),
    "needs-dark-on": enabled([], needs("dark", "on")),
    "needs-dark-nothing": enabled([], needs("dark-nothing", "on", "off")),
    "needs-red-or-blue": enabled([], needs("color", "red", "blue")),
    "needs-red": { ...enabled([], needs("color", "red")), off: "off" },
    "needs-red-without-off": { ...ON_OFF, enabled: true, rules: [], ...needs("color", "red") },
    "needs-nothing": enabled([], { prerequisites: [], fallthrough: on }),
    "needs-no-variant": enabled([], needs("color")),
    "needs-unknown-variant": enabled([], needs("color", "green")),
    "needs-a-needer": enabled([], needs("needs-both", "on")),
    "asks-in-a-rule": enabled(
      [rule("r", { all: [{ flag: "color", variants: ["red"] }, { not: { flag: "base", variants: ["on"] } }] }, on)],
      { fallthrough: off },
    ),
    "disabled-needer": { ...ON_OFF, enabled: false, off: "off", rules: [], ...needs("german", "on") },
  };
  const contexts = [...people(4), ...people(4, { country: "DE" }), { country: "DE", plan: "pro" }, {}];
  return environment("prerequisites", ask(Object.keys(flags), contexts), { flags });
}

/** A prerequisite that does not exist breaks its user; one that is malformed just serves no variant. */
function brokenPrerequisites() {
  const needs = (flag) => ({ prerequisites: [{ flag, variants: ["on", "off"] }], fallthrough: on });
  const flags = Object.fromEntries([
    ["malformed", { type: "boolean" }],
    ["no-unit", rollout(1_000_000)],
    ["needs-missing", enabled([], needs("missing"))],
    ["needs-malformed", enabled([], needs("malformed"))],
    ["needs-no-unit", enabled([], needs("no-unit"))],
    ["needs-needs-missing", enabled([], needs("needs-missing"))],
    ["needs-constructor", enabled([], needs("constructor"))],
    ["needs-proto", enabled([], needs("__proto__"))],
    ["asks-missing", enabled([rule("r", { not: { flag: "missing", variants: ["on"] } }, on)], { fallthrough: off })],
    ["asks-malformed", enabled([rule("r", { not: { flag: "malformed", variants: ["on"] } }, on)], { fallthrough: off })],
  ]);
  return environment("broken-prerequisites", ask(Object.keys(flags), [{}, ...people(2)]), { flags });
}

function cycles() {
  const needs = (flag) => enabled([], { prerequisites: [{ flag, variants: ["on"] }], fallthrough: on });
  const ring = Array.from({ length: 50 }, (_, i) => [`ring-${i}`, needs(`ring-${(i + 1) % 50}`)]);
  const flags = Object.fromEntries([
    ["self", needs("self")],
    ["a", needs("b")],
    ["b", needs("a")],
    ...ring,
    ["outside", needs("a")],
    ["outside-of-outside", needs("outside")],
    ["through-a-segment", enabled([rule("r", { segment: "asks-back" }, on)])],
    ["asks-in-a-rule", enabled([rule("r", { any: [{ flag: "asks-in-a-rule", variants: ["on"] }] }, on)])],
    ["neighbour", rollout(500_000)],
  ]);
  const segmentsOf = { "asks-back": { flag: "through-a-segment", variants: ["on"] } };
  const asked = [
    "self",
    "a",
    "b",
    "ring-0",
    "ring-25",
    "ring-49",
    "outside",
    "outside-of-outside",
    "through-a-segment",
    "asks-in-a-rule",
    "neighbour",
  ];
  return environment("cycles", ask(asked, [{}, ...people(2)]), { flags, segments: segmentsOf });
}

/** One definition may ask for the next 64 times. */
function deepChains() {
  const needs = (flag) => enabled([], { prerequisites: [{ flag, variants: ["on"] }], fallthrough: on });
  const chain = Array.from({ length: 68 }, (_, i) => [
    `flag-${i}`,
    i === 0 ? enabled([], { fallthrough: on }) : needs(`flag-${i - 1}`),
  ]);
  const nested = Array.from({ length: 68 }, (_, i) => [
    `segment-${i}`,
    i === 0 ? when("a", "exists", true) : { segment: `segment-${i - 1}` },
  ]);
  const flags = Object.fromEntries([
    ...chain,
    ...[0, 1, 62, 63, 64, 65, 67].map((i) => [
      `in-segment-${i}`,
      enabled([rule("r", { segment: `segment-${i}` }, on)], { fallthrough: off }),
    ]),
  ]);
  const asked = [0, 1, 2, 62, 63, 64, 65, 66, 67].map((i) => `flag-${i}`);
  return environment(
    "deep-chains",
    ask([...asked, ...Object.keys(flags).filter((key) => key.startsWith("in-"))], [{}, { a: 1 }]),
    {
      flags,
      segments: Object.fromEntries(nested),
    },
  );
}

/** Each is broken in one way, and its neighbour decides as ever. */
function malformed() {
  const fine = rollout(500_000);
  const withRule = (more) => ({ ...fine, rules: [{ ...fine.rules[0], ...more }] });
  const withSplit = (...parts) => withRule({ serve: { split: parts } });
  const withWhen = (condition) => withRule({ when: condition });
  const broken = {
    ...{ "is-null": null, "is-text": "on", "is-list": [], "is-number": 1, "is-true": true, empty: {} },
    "type-unknown": { ...fine, type: "json" },
    "type-missing": { ...fine, type: undefined },
    "type-mismatch": { ...fine, variants: { on: true, off: "false" } },
    "value-null": { ...fine, variants: { on: true, off: null } },
    "object-null": { ...fine, type: "object", variants: { on: {}, off: null } },
    "variants-list": { ...fine, variants: [true, false] },
    "variants-missing": { ...fine, variants: undefined },
    "variants-null": { ...fine, variants: null },
    "enabled-text": { ...fine, enabled: "true" },
    "enabled-missing": { ...fine, enabled: undefined },
    "off-unknown": { ...fine, off: "dark" },
    "off-null": { ...fine, off: null },
    "off-index": { ...fine, off: 9 },
    "off-inherited": { ...fine, off: "toString" },
    "rules-null": { ...fine, rules: null },
    "rules-missing": { ...fine, rules: undefined },
    "rules-object": { ...fine, rules: {} },
    "rule-null": { ...fine, rules: [null] },
    "rule-without-id": withRule({ id: undefined }),
    "rule-id-number": withRule({ id: 1 }),
    "rule-without-serve": withRule({ serve: undefined }),
    "serve-text": withRule({ serve: "on" }),
    "serve-unknown": withRule({ serve: { variant: "dark" } }),
    "serve-nothing": withRule({ serve: {} }),
    "split-null": withRule({ serve: { split: null } }),
    "part-null": withSplit(null),
    "part-without-draws": withSplit({ variant: "on" }),
    "part-unknown-variant": withSplit(part("dark", draw("share", [0, 1]))),
    "draw-null": withSplit(part("on", null)),
    "draw-without-space": withSplit(part("on", { in: [[0, 1]] })),
    "draw-unknown-space": withSplit(part("on", draw("nowhere", [0, 1]))),
    "range-negative": withSplit(part("on", draw("share", [-1, 1]))),
    "range-too-far": withSplit(part("on", draw("share", [0, 1_000_001]))),
    "range-fraction": withSplit(part("on", draw("share", [0, 0.5]))),
    "range-text": withSplit(part("on", draw("share", ["0", "1"]))),
    "range-null": withSplit(part("on", draw("share", [0, null]))),
    "range-backwards": withSplit(part("on", draw("share", [2, 1]))),
    "range-single": withSplit(part("on", draw("share", [0]))),
    "ranges-overlap": withSplit(part("on", draw("share", [0, 10], [9, 20]))),
    "ranges-unordered": withSplit(part("on", draw("share", [10, 20], [0, 5]))),
    "ranges-object": withSplit(part("on", { space: "share", in: {} })),
    "tracks-nothing": withSplit({ ...part("on"), tracks: {} }),
    "tracks-both": withSplit({ ...part("on"), tracks: { experiment: "e", release: "r" } }),
    "tracks-null": withSplit({ ...part("on"), tracks: null }),
    "tracks-epoch": withSplit({ ...part("on"), tracks: { experiment: "e", epoch: 1.5 } }),
    "spaces-list": { ...fine, spaces: [] },
    "spaces-null": { ...fine, spaces: null },
    "space-null": { ...fine, spaces: { share: null } },
    "salt-number": { ...fine, spaces: { share: { salt: 1 } } },
    "salt-missing": { ...fine, spaces: { share: {} } },
    "by-empty": { ...fine, spaces: { share: { salt: "s", by: "" } } },
    "by-number": { ...fine, spaces: { share: { salt: "s", by: 1 } } },
    "unused-space-broken": { ...fine, spaces: { ...fine.spaces, split: { salt: null } } },
    "spaces-as-pairs": { ...fine, spaces: [["share", { salt: "string" }]] },
    "when-null": withWhen(null),
    "when-true": withWhen(true),
    "when-list": withWhen([]),
    "when-empty": withWhen({}),
    "when-unknown": withWhen({ xor: [] }),
    "when-two-things": withWhen({ all: [], any: [] }),
    "all-null": withWhen({ all: null }),
    "all-holds-null": withWhen({ all: [null] }),
    "not-null": withWhen({ not: null }),
    "not-list": withWhen({ not: [] }),
    "segment-number": withWhen({ segment: 1 }),
    "draw-text": withWhen({ draw: "share" }),
    "flag-number": withWhen({ flag: 1, variants: [] }),
    "flag-without-variants": withWhen({ flag: "neighbour" }),
    "flag-variants-numbers": withWhen({ flag: "neighbour", variants: [1] }),
    "attribute-empty": withWhen(when("", "exists", true)),
    "attribute-number": withWhen(when(1, "exists", true)),
    "operator-unknown": withWhen(when("a", "like", "x")),
    "operator-missing": withWhen({ attribute: "a", value: 1 }),
    "operator-inherited": withWhen(when("a", "constructor", 1)),
    "value-missing": withWhen({ attribute: "a", op: "in" }),
    "value-nested": withWhen(when("a", "in", [["x"]])),
    "pattern-broken": withWhen(when("a", "matches", "(")),
    "pattern-look-behind": withWhen(when("a", "matches", "(?<=a)b")),
    "prerequisites-null": { ...fine, prerequisites: null },
    "prerequisites-text": { ...fine, prerequisites: "neighbour" },
    "prerequisite-null": { ...fine, prerequisites: [null] },
    "fallthrough-null": { ...fine, fallthrough: null },
    "fallthrough-unknown": { ...fine, fallthrough: { variant: "dark" } },
    "fallthrough-text": { ...fine, fallthrough: "on" },
    "disabled-and-broken": { ...fine, enabled: false, fallthrough: { variant: "dark" } },
  };
  // The twin first: a reader that shares what it compiled must not take the next flag for the same.
  const flags = { "spaces-as-pairs-twin": { ...fine, spaces: { share: { salt: "sharesal" } } }, ...broken, neighbour: fine };
  return environment(
    "malformed",
    [...ask(Object.keys(flags), [{ targetingKey: "user-1", a: "x" }]), ...ask(["neighbour"], people(5))],
    { flags },
  );
}

function tooLarge() {
  const fine = rollout(500_000);
  const nest = (times, inner) => (times === 0 ? inner : { not: nest(times - 1, inner) });
  const withWhen = (condition) => ({ ...fine, rules: [{ ...fine.rules[0], when: condition }] });
  const list = (times) => JSON.parse("[".repeat(times) + "]".repeat(times));
  const flags = {
    "value-nested-100": { ...fine, type: "object", variants: { on: list(100), off: {} } },
    "value-nested-101": { ...fine, type: "object", variants: { on: list(101), off: {} } },
    "nested-32": withWhen(nest(32, when("a", "exists", true))),
    "nested-33": withWhen(nest(33, when("a", "exists", true))),
    "values-10000": withWhen(
      when(
        "a",
        "in",
        Array.from({ length: 10_000 }, (_, i) => i),
      ),
    ),
    "values-10001": withWhen(
      when(
        "a",
        "in",
        Array.from({ length: 10_001 }, (_, i) => i),
      ),
    ),
    "rules-1001": { ...fine, rules: Array.from({ length: 1_001 }, (_, i) => ({ id: `${i}`, serve: on })) },
    "parts-1001": { ...fine, rules: [rule("r", undefined, { split: Array.from({ length: 1_001 }, () => part("on")) })] },
    neighbour: fine,
  };
  return environment("too-large", ask(Object.keys(flags), [{ targetingKey: "user-1" }, { targetingKey: "user-2", a: 9_999 }]), {
    flags,
  });
}

/** Names that JavaScript finds special are ordinary ones. */
function hostileNames() {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "prototype", "x".repeat(128), "0", "-1"];
  const table = (of) => Object.fromEntries(names.map((name) => [name, of(name)]));
  const flags = Object.fromEntries([
    ...names.map((name) => [
      name,
      {
        type: "string",
        variants: table((variant) => `value of ${variant.slice(0, 12)}`),
        enabled: true,
        spaces: table((space) => ({ salt: `salt-${space.slice(0, 12)}` })),
        rules: [
          rule(name, when(name, "in", "yes"), { variant: name }),
          rule("segment", { segment: name }, { variant: "0" }),
          rule("split", undefined, { split: [part(name, draw(name, [0, 500_000]))] }),
        ],
        fallthrough: { variant: "constructor" },
      },
    ]),
    ["asks-proto", enabled([rule("r", { flag: "__proto__", variants: ["__proto__"] }, on)], { fallthrough: off })],
  ]);
  const contexts = [
    {},
    { targetingKey: "user-1" },
    { targetingKey: "user-2" },
    ...names.map((name) =>
      Object.fromEntries([
        ["targetingKey", "user-3"],
        [name, "yes"],
      ]),
    ),
    { targetingKey: "user-4", "segment-of": names },
  ];
  const asked = [...names, "asks-proto", "isPrototypeOf", "__defineGetter__", ""];
  return environment("hostile-names", ask(asked, contexts), { flags, segments: table((name) => when("segment-of", "in", name)) });
}

/** The same rules with the unit and the attributes deep in the context. */
function manyPaths() {
  const split = [part("on", draw("share", [0, 500_000]))];
  const flags = {
    deep: enabled([rule("r", when("a.b.c.d", "gte", 10), { split })], {
      spaces: { share: { salt: "s", by: "u.id" } },
      fallthrough: off,
    }),
    dotted: enabled([rule("r", when("a.b", "in", ["x", "y"]), on)], { fallthrough: off }),
  };
  const contexts = [
    { a: { b: { c: { d: 10 } } }, u: { id: "1" } },
    { a: { b: { c: { d: [1, 10] } } }, u: { id: 2 } },
    { a: { b: { c: { d: "10" } } }, u: { id: "1" } },
    { "a.b.c.d": 11, u: { id: true } },
    { "a.b.c.d": 11, u: {} },
    { a: { "b.c.d": 11 }, u: { id: "1" } },
    { a: { b: "x" } },
    { "a.b": "y", a: { b: "z" } },
    { "a.b": "z", a: { b: "x" } },
    { a: { b: ["q", "x"] } },
    { a: [{ b: "x" }] },
    { a: "b" },
    {},
  ];
  return environment("many-paths", ask(Object.keys(flags), contexts), { flags });
}
