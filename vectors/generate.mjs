/**
 * Writes the vectors: `node vectors/generate.mjs`. The answers are the reference's, the questions come from the lists
 * below and from seeded dice, so that the same bytes come out every time.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { firstHash, unitAt } from "./boundary.mjs";
import { decider, hash, holdsTest, point, unitText } from "./reference.mjs";
import { scenarios } from "./scenarios.mjs";

/** The text of each file by its name. */
export function vectorFiles() {
  return {
    "hash.json": lines(hashCases()),
    "point.json": lines(pointCases()),
    "operators.json": lines(operatorCases()),
    "evaluations.json": evaluations(),
  };
}

/** A JSON list with one case a line. Lone surrogates come out as escapes. */
function lines(cases) {
  return `[\n${cases.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`;
}

function evaluations() {
  // Through JSON first: what is decided is what a replayer reads.
  const all = JSON.parse(JSON.stringify(scenarios()));
  const cases = all.flatMap(({ name, snapshot, asks }) => {
    const decide = decider(snapshot);
    return asks.map(({ flag, context }) => ({ scenario: name, flag, context, result: decide(flag, context) }));
  });
  const snapshots = all.map(({ name, snapshot }) => `${JSON.stringify(name)}:${JSON.stringify(snapshot)}`);
  return `{"snapshots":{\n${snapshots.join(",\n")}\n},\n"cases":${lines(cases).trimEnd()}}\n`;
}

// -------------------------------------------------------------------------------------------------------------- units

const ALPHABETS = {
  ascii: [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@: /"],
  latin: [..."äöüÄÖÜßéèñçøåłžÿĀ"],
  wide: [..."漢字かなカナ한글अआक्षעבריתالعربية€√∞"],
  astral: [..."😀🚀👍🏽👩‍💻🇩🇪𝒳𐍈\u{10ffff}"],
  lone: ["\ud800", "\udbff", "\udc00", "\udfff", "\ude00a", "a\ud83d"],
  control: ["\u0000", "\t", "\n", "\r", "\u001f", "\u007f", "\u0080", "\u07ff", "\u0800", "\uffff", "\ufeff", "\u200f"],
};

/** Texts of every UTF-8 length and every remainder of the hash's 4-byte blocks. */
function texts(dice, perAlphabet) {
  const mixed = Object.values(ALPHABETS).flat();
  return [...Object.values(ALPHABETS), mixed].flatMap((alphabet) =>
    Array.from({ length: perAlphabet }, (_, i) =>
      Array.from({ length: i < 17 ? i : dice.below(60) }, () => dice.pick(alphabet)).join(""),
    ),
  );
}

const LONG = ["u".repeat(10_000), "ü".repeat(10_000), "😀".repeat(5_000), "0123456789".repeat(1_000), `${"\ud800".repeat(999)}x`];

function hashCases() {
  const dice = seeded(1);
  const plain = [...texts(dice, 80), ...LONG].map((text) => ({ text, hash: hash(text) }));
  const otherSeeds = texts(dice, 8).map((text) => {
    const seed = dice.pick([1, 42, 0x7fffffff, 0x80000000, 0x9747b28c, 0xffffffff]);
    return { text, seed, hash: hash(text, seed) };
  });
  return [...plain, ...otherSeeds];
}

function pointCases() {
  const dice = seeded(2);
  const salts = ["k3v9x2qa", "", "a", "ab", "abc", "checkout-v2", "größe", "😀", "x".repeat(100), " "];
  const numbers = [0, -0, 1, 42, -7, 1.5, 0.1, 1e-7, 123456789, 9007199254740991, 1e21, 1.7976931348623157e308, 5e-324, -1e-9];
  const others = [true, false, "", null, [], ["user"], {}, { id: 1 }];
  const numericTexts = ["0", "42", "007", "1.50", "1e3", "-0"];
  const cases = [];
  for (const salt of salts) {
    for (const unit of [...numbers, ...others, ...numericTexts, ...texts(dice, 5), `user-${dice.below(1_000_000)}`]) {
      cases.push(pointCase(salt, unit));
    }
  }
  for (const unit of LONG) cases.push(pointCase("k3v9x2qa", unit));
  return [...cases, ...edgeCases(), ...crowd("q7m2p4ra")];
}

/** No point: the value is no unit. */
function pointCase(salt, unit) {
  const text = unitText(unit);
  return { salt, unit, ...(text === undefined ? {} : { text, point: point(salt, text) }) };
}

/** Units on the first and the last hash of a point: where rounding, or one too few, would show. */
function edgeCases() {
  const points = [
    0, 1, 2, 9_999, 10_000, 125_000, 249_999, 250_000, 333_333, 499_999, 500_000, 666_667, 750_000, 999_998, 999_999,
  ];
  return points.flatMap((at) =>
    [firstHash(at), firstHash(at + 1) - 1].map((wanted) => pointCase("edgesalt", unitAt("edgesalt", wanted))),
  );
}

/** Ids as they come. */
function crowd(salt) {
  return Array.from({ length: 60 }, (_, i) => pointCase(salt, `user-${i}`));
}

// ---------------------------------------------------------------------------------------------------------- operators

const ALL_OPERATORS = [
  ...["in", "contains", "startsWith", "endsWith", "matches", "lt", "lte", "gt", "gte", "before", "after"],
  ...["semverEq", "semverLt", "semverLte", "semverGt", "semverGte", "exists", "cidr"],
];

/** What a context may hold that an operator was not made for; `undefined` is a missing attribute. */
const ODD_VALUES = [undefined, null, true, false, 0, 42, "", "x", [], [[]], {}, { a: 1 }, [null], [{}]];

/** A value that each operator takes. */
const USUAL = {
  ...{ in: ["DE", "AT", 42, true], contains: "ell", startsWith: "hel", endsWith: ["llo", "x"], matches: "^h.*o$" },
  ...{ lt: 10, lte: 10, gt: 10, gte: 10, before: "2026-11-22T12:00:00Z", after: "2026-11-22T12:00:00Z" },
  ...{ semverEq: "2.3.0", semverLt: "2.3.0", semverLte: "2.3.0", semverGt: "2.3.0", semverGte: "2.3.0" },
  ...{ exists: true, cidr: ["10.0.0.0/8", "2001:db8::/32"] },
};

/** Values that some operators take and others do not: which is malformed is part of the specification. */
const ODD_WANTED = [
  null,
  "",
  "x",
  1,
  true,
  false,
  [],
  {},
  ["a", 1],
  [null],
  ["a", "b"],
  "(",
  "10.0.0.0/33",
  "2026-02-30T00:00:00Z",
  "1.2",
];

function operatorCases() {
  const cases = [];
  const add = (op, value, seen) => {
    const test = { attribute: "a", op, value };
    const context = seen === undefined ? {} : { a: seen };
    const matches = holdsTest(test, context);
    cases.push({ test, context, ...(matches === undefined ? { malformed: true } : { matches }) });
  };
  for (const op of ALL_OPERATORS) {
    for (const seen of ODD_VALUES) add(op, USUAL[op], seen);
    for (const value of ODD_WANTED) add(op, value, "x");
    for (const [value, seen] of PAIRS[op]()) add(op, value, seen);
  }
  add("exists", false, undefined);
  add("almost", "x", "x");
  add("toString", "x", "x");
  add("__proto__", "x", "x");
  return [...cases, ...pathCases()];
}

const across = (wanted, seen) => wanted.flatMap((one) => seen.map((other) => [one, other]));

const WORDS = ["hello", "Hello", "hell", "ell", "o", "", "größe", "ö", "GRÖSSE", "😀 smile", "😀", "smile", "日本語", "本"];
const NUMBERS = [-1, -0, 0, 0.1, 9, 10, 10.000001, 11, 1e21, 1.7976931348623157e308];
const TEXTS_IN_ORDER = ["", "A", "Z", "a", "aa", "b", "z", "ä", "ﬀ", "\ue000", "\uffff", "😀", "😁", "10", "9"];
const VERSIONS = [
  ...["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
  ...[
    "1.0.0+build.5",
    "1.0.0-0",
    "1.0.0--",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "2.10.0",
    "2.9.0",
    "10.0.0",
    "0.0.0",
    "1.0.0-1",
    "1.0.0-9.z",
  ],
  ...["999999999999999.0.0", "1000000000000000.0.0", "99999999999999999999.0.0", "1.0.0-99999999999999999999", "1.0.0-alpha.10"],
];
const NO_VERSIONS = [
  "v1.0.0",
  "1.0",
  "1",
  "01.0.0",
  "1.0.0-01",
  "1.0.0-",
  "1.0.0+",
  "1.0.0 ",
  " 1.0.0",
  "1.0.0.0",
  "1.0.0-a..b",
  "-1.0.0",
  "1.0.0-ä",
];
const NOON = [
  ...[
    "2026-11-22T12:00:00Z",
    "2026-11-22T12:00:00.000Z",
    "2026-11-22t12:00:00z",
    "2026-11-22 12:00:00Z",
    "2026-11-22T13:00:00+01:00",
  ],
  ...["2026-11-22T12:00:00-00:00", "2026-11-22T06:30:00-05:30", "2026-11-22T11:59:60Z", "2026-11-22T12:00:00.0000009Z"],
];
const INSTANTS = [
  ...NOON,
  ...[
    "2026-11-22T11:59:59.999Z",
    "2026-11-22T12:00:00.001Z",
    "2026-11-22T12:00:00.000001Z",
    "1970-01-01T00:00:00Z",
    "0000-02-29T00:00:00Z",
  ],
  ...[
    "0099-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "2024-02-29T00:00:00Z",
    "2000-02-29T23:59:59+14:00",
    "2016-12-31T23:59:60Z",
  ],
];
const NO_INSTANTS = [
  ...[
    "2026-11-22",
    "2026-11-22T12:00Z",
    "2026-11-22T12:00:00",
    "2026-11-22T24:00:00Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
  ],
  ...["2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z"],
  ...[
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+01:60",
    "2026-01-01T00:00:00+0100",
    "2026-01-01T00:00:00.Z",
    " 2026-01-01T00:00:00Z",
  ],
  ...["+2026-01-01T00:00:00Z", "26-01-01T00:00:00Z", "Sun, 22 Nov 2026 12:00:00 GMT", "1795348800000", "2026-01-01T00:00:00Z\n"],
];
const BLOCKS = [
  ...["10.0.0.0/8", "10.1.2.3/8", "192.168.1.1", "192.168.1.0/30", "0.0.0.0/0", "10.0.0.0/32", "::/0", "::1", "2001:db8::/32"],
  ...["::ffff:10.0.0.0/104", "fe80::/10", "2001:db8:0:0:8000::/65", "255.255.255.255/31", "::ffff:0:0/96", "2001:db8::1/127"],
];
const ADDRESSES = [
  ...[
    "10.0.0.0",
    "10.255.255.255",
    "11.0.0.0",
    "9.255.255.255",
    "192.168.1.1",
    "192.168.1.3",
    "192.168.1.4",
    "255.255.255.254",
    "0.0.0.0",
  ],
  ...[
    "::",
    "::1",
    "2001:db8::",
    "2001:DB8:ffff::1",
    "2001:db9::",
    "::ffff:10.1.1.1",
    "::ffff:a01:101",
    "0:0:0:0:0:ffff:10.1.1.1",
  ],
  ...[
    "fe80::1",
    "febf::1",
    "fec0::1",
    "2001:db8:0:0:8000::",
    "2001:db8:0:0:7fff:ffff:ffff:ffff",
    "1:2:3:4:5:6:7:8",
    "2001:0db8::0001",
  ],
];
const NO_ADDRESSES = [
  ...[
    "",
    "10",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    "10.0.0.01",
    "0x0a.0.0.1",
    "10.0.0.0/8",
    "10.0.0.1 ",
    "::ffff:10.0.0.01",
    "1.2.3.4.5",
  ],
  ...[
    "::1%eth0",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    ":::",
    "12345::",
    "g::1",
    "[::1]",
    "1:2:3:4:5:6:7::8:9",
    "localhost",
  ],
];

const PAIRS = {
  in: () => [
    ...across(
      ["DE", ["DE"], ["DE", "AT", "CH"], ["a", "b", "c", "d", "e", "f", "DE"], []],
      ["DE", "de", "D", ["FR", "DE"], ["FR"]],
    ),
    ...across([[0, 1, 2, 3, 4, 5], [1, "1", true], 0, "0", false, -0], [0, -0, 1, "1", true, false, "0", "true", [5, "x"], 6]),
    ...across([["__proto__", "constructor", "a", "b", "c"], "toString"], ["__proto__", "constructor", "toString", "valueOf"]),
  ],
  contains: () => [
    ...across(WORDS, WORDS.slice(0, 12)),
    [["x", "ell"], "hello"],
    [["x", "y"], "hello"],
    [[], "hello"],
    ["ell", ["x", "hello"]],
  ],
  startsWith: () => [...across(WORDS, WORDS.slice(0, 12)), [["x", "he"], "hello"], [[], "hello"], ["he", [1, "hello"]]],
  endsWith: () => [...across(WORDS, WORDS.slice(0, 12)), [["x", "lo"], "hello"], [[], "hello"], ["lo", [1, "hello"]]],
  matches: () => [
    ...across(["^h", "l+o$", "(?i)^HELLO$", "^$", "", "^.$", "\\d+", "^(a+)+$", "[^\\x00-\\x7f]", "\\bsmile\\b"], WORDS),
    ...across([["^x", "o$"], [], "^.{5}$"], ["hello", "größe", "😀😀😀😀😀"]),
    ...["(?=a)", "(?<=a)b", "(a)\\1", "[", "a{2,1}", "*", "a**", "\\", "(?P<n>a)", "a{1001}"].map((pattern) => [pattern, "aa"]),
    ["^(a+)+$", `${"a".repeat(5_000)}!`],
    ["b$", `${"a".repeat(9_999)}b`],
    ["b", `${"a".repeat(10_000)}b`],
    ["a".repeat(1_024), "a"],
    ["a".repeat(1_025), "a"],
  ],
  ...Object.fromEntries(
    ["lt", "lte", "gt", "gte"].map((op) => [
      op,
      () => [
        ...across([10, 0, 1e21], NUMBERS),
        ...across(["b", "ä", "\uffff", "😀", "10"], TEXTS_IN_ORDER),
        [10, "9"],
        ["10", 9],
        [10, [100, "x", 1]],
        [10, [10]],
        [10, []],
        [true, true],
        [[1], 1],
      ],
    ]),
  ),
  ...Object.fromEntries(
    ["before", "after"].map((op) => [
      op,
      () => [
        ...across(["2026-11-22T12:00:00Z", "1970-01-01T00:00:00Z", "0100-01-01T00:00:00Z"], INSTANTS),
        ...NO_INSTANTS.map((seen) => ["2026-11-22T12:00:00Z", seen]),
        ...NO_INSTANTS.map((wanted) => [wanted, "2026-11-22T12:00:00Z"]),
        ["2026-11-22T12:00:00Z", 1795348800000],
        [1795348800000, "2026-11-22T12:00:00Z"],
        ["2026-11-22T12:00:00Z", ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]],
      ],
    ]),
  ),
  ...Object.fromEntries(
    ["semverEq", "semverLt", "semverLte", "semverGt", "semverGte"].map((op) => [
      op,
      () => [
        ...across(["1.0.0", "1.0.0-beta.2", "2.9.0", "1000000000000000.0.0", "1.0.0-99999999999999999999"], VERSIONS),
        ...NO_VERSIONS.map((seen) => ["1.0.0", seen]),
        ...(op === "semverEq" ? NO_VERSIONS.map((wanted) => [wanted, "1.0.0"]) : []),
        ["1.0.0", ["0.9.0", "1.0.0", "1.1.0"]],
        ["1.0.0", `1.0.0-${"a".repeat(249)}`],
        ["1.0.0", `1.0.0-${"a".repeat(251)}`],
      ],
    ]),
  ),
  exists: () => across([true, false], ["x", "", 0, false, null, [], {}, [null]]),
  cidr: () => [
    ...across(BLOCKS, ADDRESSES),
    ...NO_ADDRESSES.map((seen) => ["0.0.0.0/0", seen]),
    ...[...NO_ADDRESSES, "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", "/8"].map((wanted) => [
      wanted,
      "10.0.0.1",
    ]),
    [["192.168.0.0/16", "10.0.0.0/8"], "10.9.9.9"],
    [[], "10.0.0.1"],
    ["10.0.0.0/8", ["1.1.1.1", "10.0.0.1"]],
  ],
};

/** Dotted paths, own dotted names, and names that JavaScript finds special. */
function pathCases() {
  const contexts = [
    ...['{"company":{"plan":"pro"}}', '{"company.plan":"pro"}', '{"company.plan":"free","company":{"plan":"pro"}}'],
    ...[
      '{"company.plan":null,"company":{"plan":"pro"}}',
      '{"company":{"plan":null}}',
      '{"company":null}',
      '{"company":"plan"}',
      "{}",
    ],
    ...[
      '{"company":[{"plan":"pro"}]}',
      '{"company":{"plan":["free","pro"]}}',
      '{"company":["pro"]}',
      '{"":"pro"}',
      '{"company":{"":"pro"}}',
    ],
    ...[
      '{"__proto__":"pro"}',
      '{"constructor":"pro"}',
      '{"a":{"__proto__":{"b":"pro"}}}',
      '{"__proto__":{"plan":"pro"}}',
      '{"toString":"pro"}',
    ],
    ...[
      '{"company":{"plan":{"name":"pro"}}}',
      '{"company":{"plan.name":"pro"}}',
      '{"hasOwnProperty":"pro","plan":"pro"}',
      '{"length":"pro"}',
    ],
  ].map((text) => JSON.parse(text));
  const paths = [
    ...["company.plan", "company", "company.plan.name", "company.0", "company.0.plan", "company.", ".company", ".", "plan"],
    ...[
      "__proto__",
      "constructor",
      "toString",
      "a.__proto__.b",
      "__proto__.plan",
      "constructor.name",
      "length",
      "company.length",
    ],
  ];
  return paths.flatMap((attribute) =>
    contexts.flatMap((context) =>
      [
        { attribute, op: "in", value: "pro" },
        { attribute, op: "exists", value: true },
      ].map((test) => ({ test, context, matches: holdsTest(test, context) })),
    ),
  );
}

// --------------------------------------------------------------------------------------------------------------- dice

/** Fixed dice: a 32-bit mixer over a counter, so that a file never changes by accident. */
function seeded(seed) {
  let state = seed;
  const below = (bound) => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32) * bound);
  };
  return { below, pick: (items) => items[below(items.length)] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(vectorFiles())) writeFileSync(new URL(name, import.meta.url), text);
}
