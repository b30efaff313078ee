import {
  createForwardingEventProcessor,
  createInstance,
  createStaticProjectConfigManager,
  OptimizelyDecideOption,
} from "@optimizely/optimizely-sdk";
import { versionOf } from "./manifest.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@optimizely/optimizely-sdk",
  version: versionOf("@optimizely/optimizely-sdk"),
  note: "e-mail ends with: contains",
  answers: "sync",
  tracks: "a dispatched event for every call",
  document: (flags) => JSON.stringify(datafileOf(flags)),
  async open(document, { isTracking }) {
    let exposures = 0;
    const dispatcher = {
      async dispatchEvent() {
        exposures += 1;
        return { statusCode: 200 };
      },
    };
    const client = createInstance({
      projectConfigManager: createStaticProjectConfigManager({ datafile: document }),
      ...(isTracking ? { eventProcessor: createForwardingEventProcessor(dispatcher) } : {}),
      defaultDecideOptions: isTracking ? [] : [OptimizelyDecideOption.DISABLE_DECISION_EVENT],
    });
    await client.onReady();
    return {
      context: ({ id, attributes }) => client.createUserContext(id, { ...attributes }),
      isOn: (key, context, fallback) => {
        const { enabled, reasons } = context.decide(key);
        // Reasons are given by default for errors alone: an unknown flag.
        return enabled || (reasons.length > 0 && fallback);
      },
      variant: (key, context) => context.decide(key).variationKey,
      exposures: () => exposures,
      close: () => client.close(),
    };
  },
};

function datafileOf(flags) {
  return {
    version: "4",
    projectId: "1",
    accountId: "1",
    revision: "1",
    anonymizeIP: true,
    botFiltering: false,
    sendFlagDecisions: true,
    attributes: ["country", "version", "email"].map((key) => ({ id: key, key })),
    audiences: [],
    typedAudiences: flags.flatMap(audiencesOf),
    events: [],
    groups: [],
    variables: [],
    experiments: flags.filter(({ kind }) => kind === "experiment").map(({ key }) => experimentOf(key)),
    rollouts: flags.filter(({ kind }) => kind !== "experiment").map(rolloutOf),
    featureFlags: flags.map(({ key, kind }) => ({
      id: `flag-${key}`,
      key,
      variables: [],
      experimentIds: kind === "experiment" ? [`experiment-${key}`] : [],
      rolloutId: kind === "experiment" ? "" : `rollout-${key}`,
    })),
  };
}

function experimentOf(key) {
  const ends = [3_333, 6_666, 10_000];
  const variations = ["control", "first", "second"].map((name) => variation(`${key}-${name}`, name));
  const trafficAllocation = variations.map(({ id }, arm) => ({ entityId: id, endOfRange: ends[arm] }));
  return { ...ruleOf(`experiment-${key}`, []), variations, trafficAllocation };
}

/** The last rule of a rollout is for everyone else. */
function rolloutOf(flag) {
  const id = `rollout-${flag.key}`;
  if (flag.kind === "rollout") return { id, experiments: [shareOf(`${id}-else`, [], flag.percent)] };
  const targeted = percentsOf(flag).map((percent, rule) => shareOf(`${id}-${rule}`, [`audience-${flag.key}-${rule}`], percent));
  return { id, experiments: [...targeted, shareOf(`${id}-else`, [], 0)] };
}

function percentsOf(flag) {
  return flag.kind === "ruled" ? flag.rules.map(({ percent }) => percent) : [flag.percent];
}

function shareOf(id, audienceIds, percent) {
  const on = variation(`${id}-on`, "on");
  return { ...ruleOf(id, audienceIds), variations: [on], trafficAllocation: [{ entityId: on.id, endOfRange: percent * 100 }] };
}

function ruleOf(id, audienceIds) {
  return { id, key: id, status: "Running", layerId: id, forcedVariations: {}, audienceIds };
}

function variation(id, key) {
  return { id, key, featureEnabled: true, variables: [] };
}

function audiencesOf(flag) {
  if (flag.kind === "ruled") return flag.rules.map(({ countries }, rule) => audience(flag.key, rule, [isFrom(countries)]));
  if (flag.kind !== "targeted") return [];
  const conditions = [
    isFrom(flag.countries),
    condition("version", "semver_ge", flag.versionFrom),
    condition("email", "substring", flag.emailEnd),
  ];
  return [audience(flag.key, 0, conditions)];
}

function audience(key, rule, conditions) {
  const id = `audience-${key}-${rule}`;
  return { id, name: id, conditions: ["and", ...conditions] };
}

function isFrom(countries) {
  return ["or", ...countries.map((country) => condition("country", "exact", country))];
}

function condition(name, match, value) {
  return { type: "custom_attribute", name, match, value };
}
