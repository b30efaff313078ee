import { SplitFactory } from "@splitsoftware/splitio";
import { startSink } from "../dist/hot-path/sink.js";
import { versionOf } from "./manifest.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@splitsoftware/splitio",
  version: versionOf("@splitsoftware/splitio"),
  note: "rules come over HTTP from a stubbed server, which S6 includes",
  answers: "sync",
  tracks: "an impression listener, its default mode (each user and flag once)",
  document: (flags) => JSON.stringify(flags.map(splitOf)),
  async open(document, { isTracking }) {
    const changes = (definitions, since) => `{"ff":{"d":${definitions},"s":${since},"t":7},"rbs":{"d":[],"s":${since},"t":7}}`;
    const sink = await startSink({
      answers: {
        "/splitChanges": changes("[]", 7),
        "/splitChanges?s=1.3&since=-1": changes(document, -1),
        "/segmentChanges": '{"added":[],"removed":[],"since":7,"till":7}',
      },
    });
    let exposures = 0;
    const factory = SplitFactory({
      core: { authorizationKey: "benchmark", labelsEnabled: false },
      startup: { readyTimeout: 60 },
      scheduler: { featuresRefreshRate: 3_600, segmentsRefreshRate: 3_600, telemetryRefreshRate: 3_600 },
      streamingEnabled: false,
      urls: { sdk: sink.url, events: sink.url, auth: sink.url, telemetry: sink.url, streaming: sink.url },
      sync: { impressionsMode: isTracking ? "OPTIMIZED" : "NONE" },
      ...(isTracking ? { impressionListener: { logImpression: () => void exposures++ } } : {}),
      debug: false,
    });
    const client = factory.client();
    await client.ready();
    return {
      context: ({ id, attributes }) => ({ id, attributes }),
      isOn(key, { id, attributes }, fallback) {
        const treatment = client.getTreatment(id, key, attributes);
        return treatment === "on" || (treatment === "control" && fallback);
      },
      variant: (key, { id, attributes }) => client.getTreatment(id, key, attributes),
      async exposures() {
        // The listener is called in a later turn.
        await new Promise((resolve) => setTimeout(resolve, 50));
        return exposures;
      },
      async close() {
        await client.destroy();
        await sink.close();
      },
    };
  },
};

function splitOf(flag) {
  const isExperiment = flag.kind === "experiment";
  return {
    trafficTypeName: "user",
    name: flag.key,
    trafficAllocation: 100,
    trafficAllocationSeed: seedOf(`traffic ${flag.key}`),
    seed: seedOf(flag.key),
    status: "ACTIVE",
    killed: false,
    defaultTreatment: isExperiment ? "second" : "off",
    changeNumber: 7,
    algo: 2,
    conditions: isExperiment ? [condition([matcher("ALL_KEYS", null)], thirds())] : conditionsOf(flag),
    configurations: {},
    sets: [],
  };
}

function thirds() {
  return ["control", "first", "second"].map((treatment, arm) => ({ treatment, size: arm === 0 ? 34 : 33 }));
}

function conditionsOf(flag) {
  if (flag.kind === "rollout") return [condition([matcher("ALL_KEYS", null)], share(flag.percent))];
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }) => condition([isFrom(countries)], share(percent)));
  }
  const matchers = [
    isFrom(flag.countries),
    { ...matcher("GREATER_THAN_OR_EQUAL_TO_SEMVER", "version"), stringMatcherData: flag.versionFrom },
    { ...matcher("ENDS_WITH", "email"), whitelistMatcherData: { whitelist: [flag.emailEnd] } },
  ];
  return [condition(matchers, share(flag.percent))];
}

function condition(matchers, partitions) {
  return { conditionType: "ROLLOUT", matcherGroup: { combiner: "AND", matchers }, partitions, label: "benchmark" };
}

function matcher(matcherType, attribute) {
  return { keySelector: { trafficType: "user", attribute }, matcherType, negate: false };
}

function isFrom(countries) {
  return { ...matcher("WHITELIST", "country"), whitelistMatcherData: { whitelist: countries } };
}

function share(percent) {
  return [
    { treatment: "on", size: percent },
    { treatment: "off", size: 100 - percent },
  ];
}

function seedOf(text) {
  let seed = 7;
  for (const character of text) seed = (Math.imul(seed, 31) + character.charCodeAt(0)) | 0;
  return seed;
}
