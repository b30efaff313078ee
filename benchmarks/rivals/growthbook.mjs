import { GrowthBookClient } from "@growthbook/growthbook";
import { versionOf } from "./manifest.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@growthbook/growthbook",
  version: versionOf("@growthbook/growthbook"),
  note: "GrowthBookClient; e-mail ends with: a regular expression",
  answers: "sync",
  tracks: "a callback for every call",
  document: (flags) => JSON.stringify({ features: featuresOf(flags) }),
  async open(document, { isTracking }) {
    let exposures = 0;
    const trackingCallback = () => {
      exposures += 1;
    };
    const client = new GrowthBookClient(isTracking ? { trackingCallback } : {}).initSync({ payload: JSON.parse(document) });
    return {
      context: ({ id, attributes }) => ({ attributes: { id, ...attributes } }),
      isOn: (key, context, fallback) => client.getFeatureValue(key, fallback, context),
      variant: (key, context) => client.getFeatureValue(key, "control", context),
      exposures: () => exposures,
      prepareSwap(flags, changed) {
        const text = JSON.stringify({ features: featuresOf(flags.map((flag) => (flag.key === changed.key ? changed : flag))) });
        return () => void client.setPayload(JSON.parse(text));
      },
      close: () => client.destroy(),
    };
  },
};

function featuresOf(flags) {
  return Object.fromEntries(flags.map((flag) => [flag.key, featureOf(flag)]));
}

function featureOf(flag) {
  if (flag.kind === "experiment") return { defaultValue: "control", rules: [experimentOf(flag.key)] };
  return { defaultValue: false, rules: rulesOf(flag) };
}

function experimentOf(key) {
  return {
    key,
    seed: key,
    hashAttribute: "id",
    hashVersion: 2,
    variations: ["control", "first", "second"],
    weights: [1 / 3, 1 / 3, 1 / 3],
    coverage: 1,
    meta: [{ key: "control" }, { key: "first" }, { key: "second" }],
  };
}

function rulesOf(flag) {
  if (flag.kind === "rollout") return [rollout(flag.key, flag.percent)];
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }) => ({
      ...rollout(flag.key, percent),
      condition: { country: { $in: countries } },
    }));
  }
  const condition = {
    country: { $in: flag.countries },
    version: { $vgte: flag.versionFrom },
    email: { $regex: `${flag.emailEnd.replaceAll(".", "\\.")}$` },
  };
  return [{ ...rollout(flag.key, flag.percent), condition }];
}

function rollout(key, percent) {
  return { force: true, coverage: percent / 100, hashAttribute: "id", hashVersion: 2, seed: key };
}
