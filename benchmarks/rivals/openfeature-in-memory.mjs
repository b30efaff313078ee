import { InMemoryProvider, OpenFeature } from "@openfeature/server-sdk";
import { bareHash } from "../dist/hot-path/bare-hash.js";
import { versionOf } from "./manifest.mjs";

let domains = 0;

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@openfeature/server-sdk",
  version: versionOf("@openfeature/server-sdk"),
  note: "its in-memory provider; the rules are functions written for this benchmark, so this is the price of the layer itself",
  answers: "async",
  document: (flags) => JSON.stringify(flags),
  async open(document) {
    const provider = new InMemoryProvider(configurationOf(JSON.parse(document)));
    const domain = `benchmark-${domains++}`;
    await OpenFeature.setProviderAndWait(domain, provider);
    const client = OpenFeature.getClient(domain);
    return {
      context: ({ id, attributes }) => ({ targetingKey: id, ...attributes }),
      isOn: (key, context, fallback) => client.getBooleanValue(key, fallback, context),
      variant: (key, context) => client.getStringValue(key, "control", context),
      prepareSwap(flags, changed) {
        const text = JSON.stringify(flags.map((flag) => (flag.key === changed.key ? changed : flag)));
        return () => provider.putConfiguration(configurationOf(JSON.parse(text)));
      },
      close: () => OpenFeature.clearProviders(),
    };
  },
};

function configurationOf(flags) {
  return Object.fromEntries(flags.map((flag) => [flag.key, definitionOf(flag)]));
}

function definitionOf(flag) {
  if (flag.kind === "experiment") {
    const variants = { control: "control", first: "first", second: "second" };
    const names = Object.keys(variants);
    const contextEvaluator = (context) => names[Math.floor(pointOf(flag.key, context) * 3)];
    return { variants, defaultVariant: "control", disabled: false, contextEvaluator };
  }
  const isOn = evaluatorOf(flag);
  const contextEvaluator = (context) => (isOn(context) ? "on" : "off");
  return { variants: { on: true, off: false }, defaultVariant: "off", disabled: false, contextEvaluator };
}

function evaluatorOf(flag) {
  if (flag.kind === "rollout") return (context) => pointOf(flag.key, context) < flag.percent / 100;
  if (flag.kind === "ruled") {
    const rules = flag.rules.map(({ countries, percent }) => ({ countries: new Set(countries), share: percent / 100 }));
    return (context) =>
      rules.some(({ countries, share }) => countries.has(context.country) && pointOf(flag.key, context) < share);
  }
  const countries = new Set(flag.countries);
  const from = flag.versionFrom.split(".").map(Number);
  return (context) =>
    countries.has(context.country) &&
    isAtLeast(context.version.split(".").map(Number), from) &&
    context.email.endsWith(flag.emailEnd) &&
    pointOf(flag.key, context) < flag.percent / 100;
}

function pointOf(key, context) {
  return (bareHash(key + context.targetingKey) >>> 0) / 2 ** 32;
}

function isAtLeast(version, from) {
  for (let i = 0; i < from.length; i++) if (version[i] !== from[i]) return version[i] > from[i];
  return true;
}
