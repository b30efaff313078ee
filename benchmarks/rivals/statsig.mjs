import { Statsig, StatsigUser } from "@statsig/statsig-node-core";
import { startSink } from "../dist/hot-path/sink.js";
import { versionOf } from "./manifest.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@statsig/statsig-node-core",
  version: versionOf("@statsig/statsig-node-core"),
  note: "Rust behind N-API: what it keeps is not on the heap that S7 reads; the rules come from its data store",
  answers: "sync",
  tracks: "batches to a stubbed server, each user and flag once a minute",
  document: (flags) => JSON.stringify(specsOf(flags)),
  async open(document, { isTracking }) {
    const sink = isTracking
      ? await startSink({ answers: {}, posted: '{"success":true}', exposure: { header: "statsig-event-count" } })
      : undefined;
    const store = storeOf(document);
    const client = new Statsig("secret-benchmark", {
      dataStore: store,
      ...(sink === undefined ? {} : { logEventUrl: `${sink.url}/v1/log_event` }),
      specsUrl: "http://127.0.0.1:9/specs",
      disableNetwork: sink === undefined,
      disableAllLogging: sink === undefined,
      disableCountryLookup: true,
      fallbackToStatsigApi: false,
      enableIdLists: false,
      outputLogLevel: "none",
    });
    await client.initialize();
    store.letGo();
    const silenced = isTracking ? undefined : { disableExposureLogging: true };
    return {
      context: ({ id, attributes }) =>
        new StatsigUser({ userID: id, ...(attributes === undefined ? {} : { custom: attributes }) }),
      isOn: (key, context, fallback) =>
        fallback && !client.getFeatureGateList().includes(key) ? fallback : client.checkGate(context, key, silenced),
      variant: (key, context) => client.getExperiment(context, key, silenced).get("variant", "control"),
      async exposures() {
        await client.flushEvents();
        return sink?.exposures() ?? 0;
      },
      async close() {
        await client.shutdown(1_000);
        await sink?.close();
      },
    };
  },
};

/** All of the store's functions must be there, or it is passed over. */
function storeOf(document) {
  let held = document;
  return {
    letGo() {
      // The text was ours to hold, not the SDK's.
      held = "{}";
    },
    async initialize() {},
    async shutdown() {},
    get: async () => ({ result: held, time: Date.now() }),
    async set() {},
    supportPollingUpdatesFor: async () => false,
  };
}

function specsOf(flags) {
  const conditions = {};
  const gates = {};
  const experiments = {};
  for (const flag of flags) {
    if (flag.kind === "experiment") experiments[flag.key] = experimentOf(flag.key, conditions);
    else gates[flag.key] = gateOf(flag, conditions);
  }
  return {
    has_updates: true,
    time: 1_767_225_600_000,
    company_id: "benchmark",
    feature_gates: gates,
    dynamic_configs: experiments,
    layer_configs: {},
    condition_map: conditions,
    layers: {},
    id_lists: {},
    experiment_to_layer: {},
  };
}

function gateOf(flag, conditions) {
  const rules = rulesOf(flag).map(({ tests, percent }, index) => ({
    ...ruleOf(`${flag.key}-${index}`, flag.key, percent, true),
    conditions: tests.map((test) => kept(test, conditions)),
  }));
  return specOf("feature_gate", flag.key, false, rules);
}

function experimentOf(key, conditions) {
  const rules = ["control", "first", "second"].map((variant, arm) => ({
    ...ruleOf(`${key}-${variant}`, key, 100, { variant }),
    groupName: variant,
    isExperimentGroup: true,
    conditions: [kept(bucketBelow(key, [334, 667, 1_000][arm]), conditions)],
  }));
  return { ...specOf("dynamic_config", key, {}, rules), entity: "experiment", isActive: true, explicitParameters: ["variant"] };
}

function specOf(type, key, defaultValue, rules) {
  const entity = type;
  return { name: key, type, salt: key, enabled: true, defaultValue, rules, idType: "userID", entity, version: 1 };
}

function ruleOf(id, salt, passPercentage, returnValue) {
  return { name: id, id, salt, passPercentage, returnValue, idType: "userID" };
}

function rulesOf(flag) {
  if (flag.kind === "rollout") return [{ tests: [everybody()], percent: flag.percent }];
  if (flag.kind === "ruled") return flag.rules.map(({ countries, percent }) => ({ tests: [isFrom(countries)], percent }));
  const tests = [
    isFrom(flag.countries),
    field("version", "version_gte", flag.versionFrom),
    field("email", "str_ends_with_any", [flag.emailEnd]),
  ];
  return [{ tests, percent: flag.percent }];
}

function everybody() {
  return { type: "public", targetValue: null, operator: null, field: null, additionalValues: {}, idType: "userID" };
}

function isFrom(countries) {
  return field("country", "any", countries);
}

function field(name, operator, targetValue) {
  return { type: "user_field", field: name, operator, targetValue, additionalValues: {}, idType: "userID" };
}

function bucketBelow(salt, targetValue) {
  return { type: "user_bucket", field: null, operator: "lt", targetValue, additionalValues: { salt }, idType: "userID" };
}

/** Conditions stand in one map and are named by what they say. */
function kept(condition, conditions) {
  const name = JSON.stringify(condition);
  conditions[name] = condition;
  return name;
}
