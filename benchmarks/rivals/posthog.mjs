import { PostHog } from "posthog-node";
import { versionOf } from "./manifest.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "posthog-node",
  version: versionOf("posthog-node"),
  note: "local evaluation; the rules are the answer of a stubbed fetch; e-mail ends with: a regular expression; all flags: getAllFlags",
  answers: "async",
  tracks: "an event, each person and flag once",
  document: (flags) => JSON.stringify({ flags: flags.map(flagOf), group_type_mapping: {}, cohorts: {} }),
  async open(document, { isTracking }) {
    let served = document;
    let exposures = 0;
    const client = new PostHog("phc_benchmark", {
      secretKey: "phs_benchmark",
      host: "http://127.0.0.1:9",
      disableCompression: true,
      featureFlagsPollingInterval: 3_600_000,
      async fetch(url, { body } = {}) {
        if (typeof body === "string") exposures += body.match(/"\$feature_flag_called"/g)?.length ?? 0;
        return new Response(url.includes("/flags/definitions") ? served : "{}", { status: 200 });
      },
    });
    await client.waitForLocalEvaluationReady(60_000);
    // The text was ours to hold, not the SDK's.
    served = undefined;
    return {
      context: ({ id, attributes }) => ({ id, options: optionsOf(attributes, isTracking) }),
      isOn: async (key, context, fallback) => (await client.isFeatureEnabled(key, context.id, context.options)) ?? fallback,
      variant: async (key, context) => (await client.getFeatureFlag(key, context.id, context.options)) ?? "control",
      async countAllOn(keys, context) {
        const all = await client.getAllFlags(context.id, context.options);
        return keys.reduce((on, key) => on + (all[key] === true ? 1 : 0), 0);
      },
      async exposures() {
        await client.flush();
        return exposures;
      },
      prepareSwap(flags, changed) {
        served = JSON.stringify({
          flags: flags.map((flag) => flagOf(flag.key === changed.key ? changed : flag)),
          group_type_mapping: {},
          cohorts: {},
        });
        return () => client.reloadFeatureFlags();
      },
      close: () => client.shutdown(1_000),
    };
  },
};

function optionsOf(attributes, sendFeatureFlagEvents) {
  return { personProperties: { ...attributes }, onlyEvaluateLocally: true, sendFeatureFlagEvents };
}

function flagOf(flag, index) {
  return { id: index + 1, key: flag.key, active: true, filters: filtersOf(flag) };
}

function filtersOf(flag) {
  if (flag.kind !== "experiment") return { groups: groupsOf(flag) };
  const variants = ["control", "first", "second"].map((key) => ({ key, rollout_percentage: 100 / 3 }));
  return { groups: [{ properties: [], rollout_percentage: 100 }], multivariate: { variants } };
}

function groupsOf(flag) {
  if (flag.kind === "rollout") return [{ properties: [], rollout_percentage: flag.percent }];
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }) => ({ properties: [isFrom(countries)], rollout_percentage: percent }));
  }
  const properties = [
    isFrom(flag.countries),
    { key: "version", operator: "semver_gte", value: flag.versionFrom, type: "person" },
    { key: "email", operator: "regex", value: `${flag.emailEnd.replaceAll(".", "\\.")}$`, type: "person" },
  ];
  return [{ properties, rollout_percentage: flag.percent }];
}

function isFrom(countries) {
  return { key: "country", operator: "exact", value: countries, type: "person" };
}
