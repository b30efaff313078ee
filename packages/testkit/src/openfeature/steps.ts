/*
 * What the sentences of the specification's scenarios mean, for any SDK: each step does something to the API under test or
 * asserts on what it answered. What is read of an answer is asserted by value.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { CACHED, type Scenario, type ScenarioStep } from "./gherkin.ts";
import { SERVER_STEPS } from "./server-steps.ts";
import { type ApiUnderTest, type Does, readValue, type SuiteStatus, World } from "./world.ts";

/** Plays a scenario. @throws AssertionError where something is not as it says, Error for a sentence that means nothing here */
export async function play({ steps, tags }: Scenario, api: ApiUnderTest): Promise<void> {
  const world = new World(api, tags.includes(CACHED));
  try {
    for (const step of steps) await act(step, world);
  } finally {
    // In this order, so that the provider need not wait for a server that is gone.
    if (world.server !== undefined) await api.close();
    await world.server?.stop();
  }
}

async function act({ text, table = [] }: ScenarioStep, world: World): Promise<void> {
  for (const [pattern, does] of STEPS) {
    const match = pattern.exec(text);
    if (match === null) continue;
    await does(world, match.slice(1), table);
    return;
  }
  throw new Error(`No step says: ${text}`);
}

const PROVIDERS: [RegExp, Does][] = [
  [
    /^a stable provider( with retrievable context is registered)?$/,
    ({ api, tellsCached }) => api.provide("stable", { tellsOrigin: false, tellsCached }),
  ],
  [
    /^a stable provider that tells where answers come from$/,
    ({ api }) => api.provide("stable", { tellsOrigin: true, tellsCached: false }),
  ],
  [
    /^a (not ready|error|fatal|stale) provider$/,
    ({ api }, [status]) => api.provide(status as SuiteStatus, { tellsOrigin: false, tellsCached: false }),
  ],
  [/^the provider status should be "(.*)"$/, ({ api }, [status]) => strictEqual(api.status, status)],
  [/^the provider's name should be "(.*)"$/, ({ api }, [name]) => strictEqual(api.name, name)],
];

const QUESTIONS: [RegExp, Does][] = [
  [
    /^an? (\w+)-flag with key "(.*)" and a fallback value "(.*)"$/,
    (world, [type = "", key = "", fallback = ""]) => world.ask(type, key, fallback),
  ],
  [
    /^a context containing a key "(.*)", with type "(\w+)" and with value "(.*)"$/,
    (world, [key = "", type = "", value = ""]) => world.add("Invocation", { [key]: readValue(type.toLowerCase(), value) }),
  ],
  [/^a context containing a key "(.*)" with null value$/, (world, [key = ""]) => world.add("Invocation", { [key]: null })],
  [/^the flag was evaluated with details( asynchronously| using the evaluation options)?$/, (world) => world.evaluate()],
  [
    /^an? (\w+) flag with key "(.*)" is evaluated with (?:details and )?(?:a )?(?:default value "?(.*?)"?|null default value)$/,
    async (world, [type = "", key = "", fallback = "null"]) => {
      world.ask(type, key, fallback);
      await world.evaluate();
    },
  ],
  [
    /^a flag with key "(.*)" is evaluated with default value "(.*)"$/,
    async (world, [key = "", fallback = ""]) => {
      world.ask("string", key, fallback);
      await world.evaluate();
    },
  ],
  [
    /^a non-existent string flag with key "(.*)" is evaluated with details and a fallback value "(.*)"$/,
    async (world, [key = "", fallback = ""]) => {
      world.ask("string", key, fallback);
      await world.evaluate();
    },
  ],
  [
    /^a string flag with key "(.*)" is evaluated as an integer, with details and a fallback value (\d+)$/,
    async (world, [key = "", fallback = ""]) => {
      world.ask("integer", key, fallback);
      await world.evaluate();
    },
  ],
  [
    /^context contains keys "(.*)", "(.*)", "(.*)", "(.*)" with values "(.*)", "(.*)", (\d+), "(.*)"$/,
    (world, [a = "", b = "", c = "", d = "", first, second, third, fourth]) =>
      world.add("Invocation", { [a]: first, [b]: second, [c]: Number(third), [d]: fourth }),
  ],
];

const ANSWERS: [RegExp, Does][] = [
  [
    /^the resolved details value should be "(.*)"$/,
    (world, [value = ""]) => deepStrictEqual(world.answer.value, readValue(kindOf(world), value)),
  ],
  [/^the reason should be "(.*)"$/, ({ answer }, [reason]) => strictEqual(answer.reason, reason)],
  [/^the error-code should be "(.*)"$/, ({ answer }, [code]) => strictEqual(answer.errorCode, code)],
  [/^the flag key should be "(.*)"$/, ({ answer }, [key]) => strictEqual(answer.flagKey, key)],
  [/^the variant should be "([^"]*)"$/, ({ answer }, [variant]) => strictEqual(answer.variant, variant)],
  [
    /^the resolved metadata should contain$/,
    ({ answer }, _, [, ...rows]) => {
      for (const [name = "", type = "", value = ""] of rows) {
        strictEqual((answer.flagMetadata as Record<string, unknown>)[name], readValue(type.toLowerCase(), value), name);
      }
    },
  ],
  [/^the resolved metadata is empty$/, ({ answer }) => deepStrictEqual(answer.flagMetadata, {})],
  [/^the evaluation should complete without blocking$/, ({ answer, key }) => strictEqual(answer.flagKey, key)],
  [
    /^the resolved object (?:details )?value should be contain fields "(.*)", "(.*)", and "(.*)", with values "(.*)", "(.*)" and (\d+), respectively$/,
    ({ answer }, [a = "", b = "", c = "", first, second, third]) =>
      deepStrictEqual(answer.value, { [a]: first === "true", [b]: second, [c]: Number(third) }),
  ],
  [
    /^the resolved \w+ details value should be "?(.*?)"?, the variant should be "(.*)", and the reason should be "(.*)"$/,
    (world, [value = "", variant, reason]) => {
      const { answer } = world;
      deepStrictEqual([answer.value, answer.variant, answer.reason], [readValue(kindOf(world), value), variant, reason]);
    },
  ],
  [
    /^the variant should be "(.*)", and the reason should be "(.*)"$/,
    ({ answer }, [variant, reason]) => deepStrictEqual([answer.variant, answer.reason], [variant, reason]),
  ],
  [
    /^the resolved \w+ (?:value|response) should be "?(.*?)"?$/,
    (world, [value = ""]) => deepStrictEqual(world.answer.value, readValue(kindOf(world), value)),
  ],
  [
    /^the resolved flag value is "(.*)" when the context is empty$/,
    async (world, [value]) => {
      world.contexts.clear();
      await world.evaluate();
      strictEqual(world.answer.value, value);
    },
  ],
  [/^the default (?:string|integer) value should be returned$/, ({ answer, fallback }) => strictEqual(answer.value, fallback)],
  [
    /^the reason should indicate an error and the error code should indicate .* with "(.*)"$/,
    ({ answer }, [code]) => deepStrictEqual([answer.reason, answer.errorCode], ["ERROR", code]),
  ],
];

const HOOKS: [RegExp, Does][] = [
  [/^a client with added hook$/, (world) => void world.clientHooks.push(world.hook("client"))],
  [
    /^the "(\w+)" hook should have been executed$/,
    (world, [moment = ""]) => strictEqual(world.moments("client").filter((each) => each === moment).length, 1),
  ],
  [
    /^the "(.*)" hooks should be called with evaluation details$/,
    ({ calls }, [moments = ""], table) => {
      for (const moment of moments.split(", ")) {
        const { given } = calls.find((call) => call.moment === moment) ?? {};
        for (const [type = "", name = "", value = ""] of table.slice(1)) {
          const wanted = value === "null" ? undefined : readValue(type, value);
          strictEqual((given as Record<string, unknown>)[camel(name)], wanted, `${name} of ${moment}`);
        }
      }
    },
  ],
  [
    /^evaluation options containing specific hooks$/,
    (world) => void world.invocationHooks.push(world.hook("first"), world.hook("second")),
  ],
  [
    /^the specified hooks should execute during evaluation$/,
    (world) => {
      for (const name of ["first", "second"]) deepStrictEqual(world.moments(name), ["before", "after", "finally"]);
    },
  ],
  [
    /^the hook order should be maintained$/,
    ({ calls }) =>
      deepStrictEqual(
        calls.map(({ hook, moment }) => `${moment} ${hook}`),
        ["before first", "before second", "after second", "after first", "finally second", "finally first"],
      ),
  ],
];

const CONTEXTS: [RegExp, Does][] = [
  [
    /^A context entry with key "(.*)" and value "(.*)" is added to the "(.*)" level$/,
    (world, [key = "", value, level = ""]) => world.add(level, { [key]: value }),
  ],
  [
    /^A table with levels of increasing precedence$/,
    (world, _, table) => {
      world.levels = table.map(([level = ""]) => level);
    },
  ],
  [
    /^Context entries for each level from API level down to the "(.*)" level, with key "(.*)" and value "(.*)"$/,
    (world, [last = "", key = ""]) => {
      for (const level of world.levels.slice(0, world.levels.indexOf(last) + 1)) world.add(level, { [key]: level });
    },
  ],
  [
    /^Some flag was evaluated$/,
    async (world) => {
      world.ask("string", "string-flag", "bye");
      await world.evaluate();
    },
  ],
  [
    /^The merged context contains an entry with key "(.*)" and value "(.*)"$/,
    ({ api }, [key = "", value]) => strictEqual(api.seenContext[key], value),
  ],
  [
    /^an evaluation context with modifiable data$/,
    (world) => {
      world.add("Invocation", { company: { plan: "pro" }, list: [1, 2] });
      world.before = JSON.stringify([...world.contexts]);
    },
  ],
  [
    /^the original evaluation context should remain unmodified$/,
    (world) => strictEqual(JSON.stringify([...world.contexts]), world.before),
  ],
  [
    /^the evaluation details should be immutable$/,
    ({ answer }) => {
      ok(Object.isFrozen(answer.flagMetadata));
      strictEqual(Reflect.set(answer.flagMetadata, "added", 1), false);
    },
  ],
];

const STEPS: readonly [RegExp, Does][] = [...PROVIDERS, ...QUESTIONS, ...ANSWERS, ...HOOKS, ...CONTEXTS, ...SERVER_STEPS];

/** How values of this world's flag are written; a `null` default asks for an object. */
function kindOf({ type }: World): string {
  return type === "number" ? "float" : type;
}

/** `flag_key` is `flagKey`. */
function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
