import { versionOf } from "./manifest.mjs";

// Read when the SDK is loaded, hence before it; with its default it would write a line for every unknown flag.
process.env["LOG_LEVEL"] = "silent";
const { init } = await import("@eppo/node-server-sdk");

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@eppo/node-server-sdk",
  version: versionOf("@eppo/node-server-sdk"),
  note: "the rules are the answer of a stubbed fetch; e-mail ends with: a regular expression",
  answers: "sync",
  tracks: "a callback, each user and flag once (LRU of 50,000)",
  document: (flags, { isTracking }) =>
    JSON.stringify({
      createdAt: "2026-01-01T00:00:00.000Z",
      format: "SERVER",
      environment: { name: "production" },
      flags: Object.fromEntries(flags.map((flag) => [flag.key, flagOf(flag, isTracking)])),
    }),
  async open(document) {
    globalThis.fetch = async () => new Response(document, { headers: { "content-type": "application/json" } });
    let exposures = 0;
    const assignmentLogger = {
      logAssignment() {
        exposures += 1;
      },
    };
    const client = await init({ apiKey: "benchmark", assignmentLogger, pollingIntervalMs: 3_600_000 });
    globalThis.fetch = async () => new Response("{}", { status: 503 });
    return {
      context: ({ id, attributes }) => ({ id, attributes: { ...attributes } }),
      isOn: (key, context, fallback) => client.getBooleanAssignment(key, context.id, context.attributes, fallback),
      variant: (key, context) => client.getStringAssignment(key, context.id, context.attributes, "control"),
      exposures: () => exposures,
      close: () => client.stopPolling(),
    };
  },
};

function flagOf(flag, isTracking) {
  const isExperiment = flag.kind === "experiment";
  const variations = isExperiment ? { control: "control", first: "first", second: "second" } : { on: true, off: false };
  return {
    key: flag.key,
    enabled: true,
    variationType: isExperiment ? "STRING" : "BOOLEAN",
    variations: Object.fromEntries(Object.entries(variations).map(([key, value]) => [key, { key, value }])),
    totalShards: 10_000,
    allocations: isExperiment ? [experimentOf(flag.key, isTracking)] : allocationsOf(flag),
  };
}

function experimentOf(key, doLog) {
  const edges = [0, 3_333, 6_666, 10_000];
  const splits = ["control", "first", "second"].map((variationKey, arm) => ({
    variationKey,
    shards: [{ salt: key, ranges: [{ start: edges[arm], end: edges[arm + 1] }] }],
  }));
  return { key: "experiment", rules: [], splits, doLog };
}

function allocationsOf(flag) {
  if (flag.kind === "rollout") return [allocation(flag.key, "everybody", [], flag.percent)];
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }, index) =>
      allocation(flag.key, `rule-${index}`, [{ conditions: [isFrom(countries)] }], percent),
    );
  }
  const conditions = [
    isFrom(flag.countries),
    { attribute: "version", operator: "GTE", value: flag.versionFrom },
    { attribute: "email", operator: "MATCHES", value: `${flag.emailEnd.replaceAll(".", "\\.")}$` },
  ];
  return [allocation(flag.key, "targeted", [{ conditions }], flag.percent)];
}

function isFrom(countries) {
  return { attribute: "country", operator: "ONE_OF", value: countries };
}

function allocation(salt, key, rules, percent) {
  const shards = [{ salt, ranges: [{ start: 0, end: percent * 100 }] }];
  return { key, rules, splits: [{ variationKey: "on", shards }], doLog: false };
}
