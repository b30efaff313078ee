import { init, integrations } from "@launchdarkly/node-server-sdk";
import { startSink } from "../dist/hot-path/sink.js";
import { versionOf } from "./manifest.mjs";
import { silentLogger } from "./silent-logger.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@launchdarkly/node-server-sdk",
  version: versionOf("@launchdarkly/node-server-sdk"),
  note: "flags come from its TestData source; version at least: a negated less-than",
  answers: "async",
  tracks: "a queue of 10,000 events for every call, posted every 5 s; further events are dropped",
  document: (flags) => JSON.stringify(flags.map(flagOf)),
  async open(document, { isTracking }) {
    const source = new integrations.TestData();
    await Promise.all(JSON.parse(document).map((flag) => source.usePreconfiguredFlag(flag)));
    const sink = isTracking ? await startSink({ answers: {}, exposure: { pattern: '"kind":"feature"' } }) : undefined;
    const client = init("sdk-benchmark", {
      updateProcessor: source.getFactory(),
      sendEvents: isTracking,
      ...(sink === undefined ? {} : { eventsUri: sink.url }),
      diagnosticOptOut: true,
      logger: silentLogger,
    });
    await client.waitForInitialization({ timeout: 30 });
    return {
      context: ({ id, attributes }) => ({ kind: "user", key: id, ...attributes }),
      isOn: (key, context, fallback) => client.variation(key, context, fallback),
      variant: (key, context) => client.variation(key, context, "control"),
      async exposures() {
        await client.flush();
        return sink?.exposures() ?? 0;
      },
      prepareSwap: (_flags, changed) => () => source.usePreconfiguredFlag(flagOf(changed)),
      async close() {
        client.close();
        await sink?.close();
      },
    };
  },
};

function flagOf(flag) {
  const isExperiment = flag.kind === "experiment";
  return {
    key: flag.key,
    version: 1,
    on: true,
    salt: flag.key,
    prerequisites: [],
    targets: [],
    contextTargets: [],
    variations: isExperiment ? ["control", "first", "second"] : [true, false],
    offVariation: isExperiment ? 0 : 1,
    trackEvents: isExperiment,
    rules: isExperiment ? [] : rulesOf(flag),
    fallthrough: isExperiment ? { rollout: split([33_334, 33_333, 33_333]) } : fallthroughOf(flag),
  };
}

function fallthroughOf(flag) {
  return flag.kind === "rollout" ? { rollout: share(flag.percent) } : { variation: 1 };
}

function rulesOf(flag) {
  if (flag.kind === "rollout") return [];
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }, index) => ({
      id: `rule-${index}`,
      clauses: [clause("country", "in", countries)],
      rollout: share(percent),
    }));
  }
  const clauses = [
    clause("country", "in", flag.countries),
    { ...clause("version", "semVerLessThan", [flag.versionFrom]), negate: true },
    clause("email", "endsWith", [flag.emailEnd]),
  ];
  return [{ id: "rule", clauses, rollout: share(flag.percent) }];
}

function clause(attribute, op, values) {
  return { contextKind: "user", attribute, op, values, negate: false };
}

function share(percent) {
  return split([percent * 1_000, 100_000 - percent * 1_000]);
}

function split(weights) {
  return { contextKind: "user", variations: weights.map((weight, variation) => ({ variation, weight })) };
}
