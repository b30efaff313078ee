import { createHash } from "node:crypto";
import { DefaultFlag, Flagsmith } from "flagsmith-nodejs";
import { versionOf } from "./manifest.mjs";
import { silentLogger } from "./silent-logger.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "flagsmith-nodejs",
  version: versionOf("flagsmith-nodejs"),
  note: "local evaluation; one question evaluates every flag, so it is meant to be asked once a request; e-mail ends with: a regular expression",
  answers: "async",
  document: environmentOf,
  async open(document) {
    let served = document;
    const fetch = async () => new Response(served, { headers: { "content-type": "application/json" } });
    const client = new Flagsmith({
      environmentKey: "ser.benchmark",
      enableLocalEvaluation: true,
      environmentRefreshIntervalSeconds: 3_600,
      fetch,
      logger: silentLogger,
      defaultFlagHandler: () => new DefaultFlag(undefined, false),
    });
    await client.updateEnvironment();
    // The text was ours to hold, not the SDK's.
    served = undefined;
    const flagsFor = ({ id, traits }) => client.getIdentityFlags(id, traits);
    return {
      context: ({ id, attributes }) => ({ id, traits: { ...attributes } }),
      async isOn(key, context, fallback) {
        const flag = (await flagsFor(context)).getFlag(key);
        return flag.isDefault ? fallback : flag.enabled;
      },
      variant: async (key, context) => (await flagsFor(context)).getFeatureValue(key),
      async countAllOn(keys, context) {
        const flags = await flagsFor(context);
        return keys.reduce((on, key) => on + (flags.isFeatureEnabled(key) ? 1 : 0), 0);
      },
      prepareSwap(flags, changed) {
        served = environmentOf(flags.map((flag) => (flag.key === changed.key ? changed : flag)));
        return () => client.updateEnvironment();
      },
      close: () => client.close(),
    };
  },
};

/** @param {readonly import("../src/hot-path/work.ts").FlagWork[]} flags */
function environmentOf(flags) {
  return JSON.stringify({
    id: 1,
    api_key: "benchmark",
    name: "production",
    project: {
      id: 1,
      name: "benchmark",
      hide_disabled_flags: false,
      organisation: { id: 1, name: "benchmark", feature_analytics: false, stop_serving_flags: false, persist_trait_data: false },
      segments: flags.flatMap(segmentsOf),
    },
    feature_states: flags.map((flag, index) => stateOf(flag, index, flag.kind === "experiment")),
    identity_overrides: [],
  });
}

function stateOf(flag, index, enabled) {
  return {
    feature: { id: index + 1, name: flag.key, type: flag.kind === "experiment" ? "MULTIVARIATE" : "STANDARD" },
    enabled,
    django_id: index + 1,
    feature_state_value: flag.kind === "experiment" ? "control" : null,
    featurestate_uuid: uuidOf(flag.key),
    multivariate_feature_state_values: flag.kind === "experiment" ? [arm("first", 1), arm("second", 2)] : [],
  };
}

function arm(value, id) {
  return {
    id,
    percentage_allocation: 100 / 3,
    mv_fs_value_uuid: uuidOf(value),
    multivariate_feature_option: { id, value },
  };
}

/** A share is a segment that overrides the flag; earlier rules come first. */
function segmentsOf(flag, index) {
  return rulesOf(flag).map((conditions, rule) => ({
    id: index * 8 + rule + 1,
    name: `${flag.key}-${rule}`,
    rules: [{ type: "ALL", conditions: [], rules: [{ type: "ALL", rules: [], conditions }] }],
    feature_states: [{ ...stateOf(flag, index, true), feature_segment: { priority: rule } }],
  }));
}

function rulesOf(flag) {
  if (flag.kind === "experiment") return [];
  if (flag.kind === "rollout") return [[share(flag.percent)]];
  if (flag.kind === "ruled") return flag.rules.map(({ countries, percent }) => [isFrom(countries), share(percent)]);
  const conditions = [
    isFrom(flag.countries),
    { operator: "GREATER_THAN_INCLUSIVE", property_: "version", value: `${flag.versionFrom}:semver` },
    { operator: "REGEX", property_: "email", value: `${flag.emailEnd.replaceAll(".", "\\.")}$` },
  ];
  return [[...conditions, share(flag.percent)]];
}

function isFrom(countries) {
  return { operator: "IN", property_: "country", value: countries.join(",") };
}

function share(percent) {
  return { operator: "PERCENTAGE_SPLIT", property_: null, value: String(percent) };
}

function uuidOf(text) {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
