import { once } from "node:events";
import { InMemStorageProvider, Unleash, UnleashEvents } from "unleash-client";
import { versionOf } from "./manifest.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "unleash-client",
  version: versionOf("unleash-client"),
  answers: "sync",
  tracks: "an impression event for every call",
  document: (flags, { isTracking }) => JSON.stringify(flags.map((flag) => ({ ...featureOf(flag), impressionData: isTracking }))),
  async open(document) {
    const client = new Unleash({
      appName: "benchmark",
      url: "http://127.0.0.1:9/",
      refreshInterval: 0,
      metricsInterval: 0,
      disableMetrics: true,
      skipInstanceCountWarning: true,
      storageProvider: new InMemStorageProvider(),
      bootstrap: { data: JSON.parse(document) },
    });
    client.on(UnleashEvents.Error, () => {});
    client.on(UnleashEvents.Warn, () => {});
    let exposures = 0;
    client.on(UnleashEvents.Impression, () => {
      exposures += 1;
    });
    if (!client.isSynchronized()) await once(client, UnleashEvents.Ready);
    return {
      context: ({ id, attributes }) =>
        attributes === undefined ? { userId: id } : { userId: id, properties: { ...attributes } },
      isOn: (key, context, fallback) => client.isEnabled(key, context, fallback),
      variant: (key, context) => client.getVariant(key, context).name,
      exposures: () => exposures,
      close: () => client.destroy(),
    };
  },
};

function featureOf(flag) {
  return { name: flag.key, type: "release", enabled: true, stale: false, project: "default", ...partsOf(flag) };
}

function partsOf(flag) {
  if (flag.kind === "experiment") {
    const variants = ["control", "first", "second"].map((name) => ({
      name,
      weight: name === "control" ? 334 : 333,
      weightType: "variable",
      stickiness: "userId",
    }));
    return { strategies: [{ ...rollout(flag.key, 100, []), variants }], variants: [] };
  }
  return { strategies: strategiesOf(flag), variants: [] };
}

function strategiesOf(flag) {
  if (flag.kind === "rollout") return [rollout(flag.key, flag.percent, [])];
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }) => rollout(flag.key, percent, [isFrom(countries)]));
  }
  const constraints = [
    isFrom(flag.countries),
    // At least: not earlier.
    { contextName: "version", operator: "SEMVER_LT", value: flag.versionFrom, values: [], inverted: true },
    { contextName: "email", operator: "STR_ENDS_WITH", values: [flag.emailEnd], inverted: false },
  ];
  return [rollout(flag.key, flag.percent, constraints)];
}

function isFrom(countries) {
  return { contextName: "country", operator: "IN", values: countries, inverted: false };
}

function rollout(key, percent, constraints) {
  return {
    name: "flexibleRollout",
    parameters: { rollout: String(percent), stickiness: "userId", groupId: key },
    constraints,
    segments: [],
    variants: [],
  };
}
