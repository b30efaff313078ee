/*
 * What the specification's suites ask of a provider, in tables of our own: evaluation of every type, targeting, errors,
 * states, hooks, merging of contexts. They run everywhere; the suites themselves run where their folder is at hand.
 */
import { CACHED, type Scenario, type ScenarioStep } from "./gherkin.ts";

const READY: ScenarioStep = { text: "a stable provider" };
const EVALUATE: ScenarioStep = { text: "the flag was evaluated with details" };
const BALLMER: ScenarioStep = {
  text: 'a context containing a key "email", with type "String" and with value "ballmer@macrosoft.com"',
};

/** Type, name of its flags, a default that is neither served nor zero, what is served, its variant, zero. */
const TYPES = [
  ["Boolean", "boolean", "true", "true", "on", "false"],
  ["String", "string", "mine", "hi", "greeting", ""],
  ["Integer", "integer", "7", "10", "ten", "0"],
  ["Float", "float", "0.7", "0.5", "half", "0"],
  [
    "Object",
    "object",
    '{"a": 1}',
    '{"showImages": true, "title": "Check out these pics!", "imagesPerPage": 100}',
    "template",
    "{}",
  ],
] as const;

const says = (text: string): ScenarioStep => ({ text });
const ask = (type: string, key: string, fallback: string): ScenarioStep =>
  says(`a ${type}-flag with key "${key}" and a fallback value "${fallback}"`);
const value = (text: string): ScenarioStep => says(`the resolved details value should be "${text}"`);
const reason = (text: string): ScenarioStep => says(`the reason should be "${text}"`);
const code = (text: string): ScenarioStep => says(`the error-code should be "${text}"`);

function ofType([type, name, fallback, served, variant, zero]: (typeof TYPES)[number]): Scenario[] {
  const other = name === "string" ? "boolean-flag" : "string-flag";
  const failure = (key: string, error: string, first = READY): ScenarioStep[] => [
    ...[first, ask(type, key, fallback), EVALUATE],
    ...[value(fallback), reason("ERROR"), code(error)],
  ];
  const targeted = [READY, ask(type, `${name}-targeted-zero-flag`, fallback)];
  const another = says('a context containing a key "email", with type "String" and with value "b@example.com"');
  const noEmail = says('a context containing a key "email" with null value');
  const steps: Record<string, ScenarioStep[]> = {
    "is served with its variant and STATIC": [
      ...[READY, ask(type, `${name}-flag`, fallback), EVALUATE, value(served), reason("STATIC")],
      ...[says(`the variant should be "${variant}"`), says(`the flag key should be "${name}-flag"`)],
    ],
    "may be the type's zero": [READY, ask(type, `${name}-zero-flag`, fallback), EVALUATE, value(zero), reason("STATIC")],
    "is zero for whom a rule meets": [...targeted, BALLMER, EVALUATE, value(zero), reason("TARGETING_MATCH")],
    "falls through for nobody": [...targeted, EVALUATE, value(zero), reason("DEFAULT")],
    "falls through for somebody else": [...targeted, another, EVALUATE, value(zero), reason("DEFAULT")],
    "has no metadata where its owner says nothing": [
      ...[READY, ask(type, `${name}-flag`, fallback), EVALUATE, says("the resolved metadata is empty")],
    ],
    "falls through for an attribute that is null": [...targeted, noEmail, EVALUATE, value(zero), reason("DEFAULT")],
    "is the default where the flag is disabled": [
      ...[READY, ask(type, `${name}-disabled-flag`, fallback), EVALUATE],
      ...[value(fallback), reason("DISABLED")],
    ],
    "is the default where there is no flag": failure("nowhere", "FLAG_NOT_FOUND"),
    "is the default where the flag is of another type": failure(other, "TYPE_MISMATCH"),
    "is the default before rules came": failure(`${name}-flag`, "PROVIDER_NOT_READY", says("a not ready provider")),
    "is the default for good": failure(`${name}-flag`, "PROVIDER_FATAL", says("a fatal provider")),
  };
  return named(`a ${name}`, steps);
}

const STATES: Record<string, ScenarioStep[]> = Object.fromEntries(
  [
    ["stable", "READY"],
    ["not ready", "NOT_READY"],
    ["error", "ERROR"],
    ["fatal", "FATAL"],
    ["stale", "STALE"],
  ].map(([state, status]) => [
    `that is ${state} says so`,
    [says(`a ${state} provider`), says(`the provider status should be "${status}"`)],
  ]),
);

const PROVIDER: Record<string, ScenarioStep[]> = {
  "says its name": [READY, says('the provider\'s name should be "Belay"')],
  "that is stale decides by the rules it has, and says STALE": [
    ...[says("a stale provider"), ask("Boolean", "boolean-flag", "false"), EVALUATE, value("true"), reason("STALE")],
  ],
  "serves what a disabled flag serves": [
    ...[READY, ask("Boolean", "off-flag", "true"), EVALUATE, value("false"), reason("DISABLED")],
    says('the variant should be "off"'),
  ],
};

const FLAG = ask("Boolean", "boolean-targeted-zero-flag", "true");

const MEMORY: Record<string, ScenarioStep[]> = {
  "says CACHED from the second time on": [READY, FLAG, EVALUATE, reason("DEFAULT"), EVALUATE, reason("CACHED"), value("false")],
  "decides anew for another person": [READY, FLAG, EVALUATE, EVALUATE, BALLMER, EVALUATE, reason("TARGETING_MATCH")],
  "says of each flag what is so of it": [
    ...[READY, FLAG, EVALUATE, ask("String", "string-flag", "mine"), EVALUATE, reason("STATIC"), EVALUATE, reason("CACHED")],
    ...[ask("String", "nowhere", "mine"), EVALUATE, EVALUATE, reason("ERROR"), code("FLAG_NOT_FOUND")],
  ],
};

const contains = (rows: readonly (readonly [string, string, string])[]): ScenarioStep => ({
  text: "the resolved metadata should contain",
  table: [["key", "metadata_type", "value"], ...rows],
});

const METADATA: Record<string, ScenarioStep[]> = {
  "is what its owner says, of every type": [
    ...[READY, ask("Boolean", "metadata-flag", "false"), EVALUATE],
    contains([
      ["string", "String", "1.0.2"],
      ["integer", "Integer", "2"],
      ["float", "Float", "0.1"],
      ["boolean", "Boolean", "true"],
    ]),
  ],
  "is told with a default too": [
    ...[READY, ask("String", "metadata-flag", "mine"), EVALUATE, code("TYPE_MISMATCH"), contains([["integer", "Integer", "2"]])],
  ],
  "names flag set, version and rule for who wants to know": [
    says("a stable provider that tells where answers come from"),
    ...[ask("Boolean", "boolean-targeted-zero-flag", "true"), BALLMER, EVALUATE],
    contains([
      ["flagSetId", "String", "default/production"],
      ["version", "String", "7"],
      ["ruleId", "String", "ballmer"],
    ]),
  ],
};

const person = (key: string): ScenarioStep =>
  says(`A context entry with key "targetingKey" and value "${key}" is added to the "API" level`);

const FOLLOWING: Record<string, ScenarioStep[]> = {
  "is ready": [says("a provider that follows a server"), says('the provider status should be "READY"')],
  "keeps people apart, and sends what it met and what was tracked": [
    ...[says("a provider that follows a server"), ask("String", "pricing", "none")],
    ...[person("user-1"), EVALUATE, EVALUATE, person("user-2"), EVALUATE, reason("SPLIT")],
    ...[says('the event "purchase" was tracked with value 12.5'), says("the provider was closed")],
    {
      text: "the server should have been sent",
      table: [
        ["unit", "what", "value"],
        ["user-1", "pricing", "undefined"],
        ["user-2", "pricing", "undefined"],
        ["user-2", "purchase", "12.5"],
      ],
    },
  ],
  "tells which flag changed, and decides by the change": [
    ...[says("a provider that follows a server"), ask("Boolean", "boolean-flag", "false"), EVALUATE, value("true")],
    ...[
      says('the server lets the flag serve "off"'),
      says("the change of the flag should be told once"),
      EVALUATE,
      value("false"),
    ],
  ],
};

const HOOKED = [READY, says("a client with added hook")];
const hears = (moments: string, rows: Record<string, string>): ScenarioStep => ({
  text: `the "${moments}" hooks should be called with evaluation details`,
  table: [["data_type", "key", "value"], ...Object.entries(rows).map(([key, text]) => ["string", key, text])],
});

const HOOKS: Record<string, ScenarioStep[]> = {
  "of a client hear of a success": [
    ...[...HOOKED, ask("String", "string-flag", "mine"), EVALUATE, says('the "before" hook should have been executed')],
    hears("after, finally", { flag_key: "string-flag", value: "hi", variant: "greeting", reason: "STATIC", error_code: "null" }),
  ],
  "of a client hear of an error": [
    ...[...HOOKED, ask("String", "nowhere", "mine"), EVALUATE, says('the "error" hook should have been executed')],
    hears("finally", { flag_key: "nowhere", value: "mine", variant: "null", reason: "ERROR", error_code: "FLAG_NOT_FOUND" }),
  ],
  "of a client hear of a flag of another type": [
    ...[...HOOKED, ask("Boolean", "wrong-flag", "false"), EVALUATE, says('the "error" hook should have been executed')],
    hears("finally", { flag_key: "wrong-flag", variant: "null", reason: "ERROR", error_code: "TYPE_MISMATCH" }),
  ],
  "of one call run in order, and back": [
    ...[READY, ask("Boolean", "boolean-flag", "false"), says("evaluation options containing specific hooks")],
    ...[says("the flag was evaluated with details using the evaluation options")],
    ...[says("the specified hooks should execute during evaluation"), says("the hook order should be maintained")],
  ],
};

const LEVELS = ["API", "Transaction", "Client", "Invocation", "Before Hooks"];

const CONTEXTS: Record<string, ScenarioStep[]> = {
  "has what every level says": [
    READY,
    ...LEVELS.map((level) =>
      says(`A context entry with key "${level}" and value "of ${level}" is added to the "${level}" level`),
    ),
    says("Some flag was evaluated"),
    ...LEVELS.map((level) => says(`The merged context contains an entry with key "${level}" and value "of ${level}"`)),
  ],
  "has what the API level says": [
    ...[READY, says('A context entry with key "who" and value "api" is added to the "API" level')],
    ...[says("Some flag was evaluated"), says('The merged context contains an entry with key "who" and value "api"')],
  ],
  "is left as it was, and so are details": [
    ...[READY, ask("Boolean", "boolean-flag", "false"), says("an evaluation context with modifiable data"), EVALUATE],
    ...[says("the original evaluation context should remain unmodified"), says("the evaluation details should be immutable")],
  ],
  ...Object.fromEntries(
    LEVELS.map((level) => [
      `of the ${level} level wins over those before`,
      [
        ...[READY, { text: "A table with levels of increasing precedence", table: LEVELS.map((each) => [each]) }],
        says(`Context entries for each level from API level down to the "${level}" level, with key "who" and value "${level}"`),
        ...[says("Some flag was evaluated"), says(`The merged context contains an entry with key "who" and value "${level}"`)],
      ],
    ]),
  ),
};

const TARGETING: Record<string, ScenarioStep[]> = {
  "by three attributes": [
    ...[READY, ask("String", "complex-targeted", "mine"), BALLMER],
    says('a context containing a key "age", with type "Integer" and with value "65"'),
    says('a context containing a key "customer", with type "Boolean" and with value "false"'),
    ...[EVALUATE, value("INTERNAL"), reason("TARGETING_MATCH")],
  ],
};

/** All of it, for any SDK. */
export const SCENARIOS: readonly Scenario[] = [
  ...TYPES.flatMap(ofType),
  ...named("a provider", STATES),
  ...named("a provider", PROVIDER),
  ...named("a provider that remembers", MEMORY).map((scenario) => ({ ...scenario, tags: [CACHED] })),
  ...named("a provider that follows a server", FOLLOWING),
  ...named("a flag's metadata", METADATA),
  ...named("hooks", HOOKS),
  ...named("a context", CONTEXTS),
  ...named("targeting", TARGETING),
];

function named(subject: string, steps: Readonly<Record<string, readonly ScenarioStep[]>>): Scenario[] {
  return Object.entries(steps).map(([name, each]) => ({ name: `${subject} ${name}`, tags: [], steps: each }));
}
