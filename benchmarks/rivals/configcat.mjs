import { getClient, PollingMode, User } from "configcat-node";
import { versionOf } from "./manifest.mjs";
import { silentLogger } from "./silent-logger.mjs";

const TEXT_IS_ONE_OF = 0;
const SEMVER_AT_LEAST = 9;
const TEXT_ENDS_WITH_ANY_OF = 32;
const BOOLEAN = 0;
const STRING = 1;

let clients = 0;

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "configcat-node",
  version: versionOf("configcat-node"),
  note: "its synchronous snapshot, made once; the rules come from its cache",
  answers: "sync",
  tracks: "a hook for every call",
  document: (flags) => JSON.stringify({ p: { u: "", r: 0, s: "salt" }, f: settingsOf(flags) }),
  async open(document, { isTracking }) {
    let exposures = 0;
    let cached = `${Date.now()}\n"etag"\n${document}`;
    const client = getClient(`configcat-sdk-1/${"a".repeat(22)}/${String(clients++).padStart(22, "0")}`, PollingMode.ManualPoll, {
      offline: true,
      cache: { get: () => cached, set() {} },
      logger: silentLogger,
      setupHooks(hooks) {
        if (isTracking) hooks.on("flagEvaluated", () => exposures++);
      },
    });
    await client.waitForReady();
    const snapshot = client.snapshot();
    // The text was ours to hold, not the SDK's.
    cached = undefined;
    return {
      context: ({ id, attributes }) => contextOf(id, attributes),
      isOn: (key, context, fallback) => snapshot.getValue(key, fallback, context),
      variant: (key, context) => snapshot.getValue(key, "control", context),
      exposures: () => exposures,
      close: () => client.dispose(),
    };
  },
};

function contextOf(id, attributes) {
  if (attributes === undefined) return new User(id);
  return new User(id, attributes.email, attributes.country, { version: attributes.version });
}

function settingsOf(flags) {
  return Object.fromEntries(flags.map((flag) => [flag.key, settingOf(flag)]));
}

function settingOf(flag) {
  if (flag.kind === "experiment") {
    const parts = [
      ["control", 34],
      ["first", 33],
      ["second", 33],
    ];
    return { t: STRING, p: parts.map(([s, p], i) => ({ p, v: { s }, i: `v${i}` })), v: { s: "control" }, i: "v0" };
  }
  const off = { t: BOOLEAN, v: { b: false }, i: "off" };
  if (flag.kind === "rollout") return { ...off, p: share(flag.percent) };
  return { ...off, r: rulesOf(flag) };
}

function rulesOf(flag) {
  if (flag.kind === "ruled") {
    return flag.rules.map(({ countries, percent }) => ({ c: [isFrom(countries)], p: share(percent) }));
  }
  const conditions = [
    isFrom(flag.countries),
    { u: { a: "version", c: SEMVER_AT_LEAST, s: flag.versionFrom } },
    { u: { a: "Email", c: TEXT_ENDS_WITH_ANY_OF, l: [flag.emailEnd] } },
  ];
  return [{ c: conditions, p: share(flag.percent) }];
}

function isFrom(countries) {
  return { u: { a: "Country", c: TEXT_IS_ONE_OF, l: countries } };
}

function share(percent) {
  return [
    { p: percent, v: { b: true }, i: "on" },
    { p: 100 - percent, v: { b: false }, i: "off" },
  ];
}
