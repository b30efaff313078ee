/** One SDK as a page would load it. */
export interface PageContender {
  readonly name: string;
  /** Of benchmarks/rivals; absent for ours. */
  readonly packageName?: string;
  readonly decides: "page" | "server";
  /** The smallest module that starts a client and asks for one boolean flag. */
  readonly code: string;
  /** A module that puts `decide` on the page: asks a 50 % rollout for a user, from a client that holds its rules. */
  readonly decide?: string;
  /** The same with one client that each user is made known to before it is asked: their first decision. */
  readonly first?: string;
}

const START = '{ url: "https://flags.example.com", clientKey: "k", context: { targetingKey: "u" } }';

const SNAPSHOT = JSON.stringify({
  ...{ format: 1, project: "p", environment: "e", revision: 1, spaces: {}, segments: {} },
  flags: {
    f: {
      ...{ type: "boolean", variants: { on: true, off: false }, enabled: true, off: "off" },
      spaces: { share: { salt: "abcdefgh" } },
      rules: [{ id: "r", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 500_000]] }] }] } }],
      fallthrough: { variant: "off" },
    },
  },
});

const FEATURES = JSON.stringify({
  f: { defaultValue: false, rules: [{ force: true, coverage: 0.5, hashAttribute: "id", hashVersion: 2, seed: "f" }] },
});

export const CONTENDERS: readonly PageContender[] = [
  {
    name: "Belay, `createLeanClient`",
    decides: "page",
    code: `import { createLeanClient } from "@belay/sdk-browser/index.js"; globalThis.on = createLeanClient(${START}).isEnabled("f");`,
    decide: `import { createLeanClient } from "@belay/sdk-browser/index.js";
      const clients = new Map();
      globalThis.prepare = (id) => clients.set(id, createLeanClient({ context: { targetingKey: id }, bootstrap: ${SNAPSHOT} }));
      globalThis.decide = (id) => clients.get(id).isEnabled("f");`,
    first: `import { createLeanClient } from "@belay/sdk-browser/index.js";
      const client = createLeanClient({ bootstrap: ${SNAPSHOT} });
      globalThis.prepare = () => {};
      globalThis.decide = (id) => { client.identify({ targetingKey: id }); return client.isEnabled("f"); };`,
  },
  {
    name: "Belay, `createClient`",
    decides: "page",
    code: `import { createClient } from "@belay/sdk-browser/index.js"; globalThis.on = createClient(${START}).isEnabled("f");`,
  },
  {
    name: "Belay, `createRemoteClient`",
    decides: "server",
    code: `import { createRemoteClient } from "@belay/sdk-browser/remote.js"; globalThis.on = createRemoteClient(${START}).isEnabled("f");`,
  },
  {
    name: "@growthbook/growthbook",
    packageName: "@growthbook/growthbook",
    decides: "page",
    code: `import { GrowthBook } from "@growthbook/growthbook";
      const client = new GrowthBook({ apiHost: "https://cdn.example.com", clientKey: "k", attributes: { id: "u" } });
      client.init({ streaming: true }); globalThis.on = client.isOn("f");`,
    decide: `import { GrowthBook } from "@growthbook/growthbook";
      const clients = new Map();
      globalThis.prepare = (id) => clients.set(id, new GrowthBook({ attributes: { id }, features: ${FEATURES} }));
      globalThis.decide = (id) => clients.get(id).isOn("f");`,
    first: `import { GrowthBook } from "@growthbook/growthbook";
      const client = new GrowthBook({ features: ${FEATURES} });
      globalThis.prepare = () => {};
      globalThis.decide = (id) => { client.setAttributes({ id }); return client.isOn("f"); };`,
  },
  {
    name: "configcat-js",
    packageName: "configcat-js",
    decides: "page",
    code: `import { getClient } from "configcat-js"; getClient("k").getValueAsync("f", false, { identifier: "u" }).then((on) => { globalThis.on = on; });`,
  },
  {
    name: "@splitsoftware/splitio-browserjs",
    packageName: "@splitsoftware/splitio-browserjs",
    decides: "page",
    code: `import { SplitFactory } from "@splitsoftware/splitio-browserjs";
      globalThis.on = SplitFactory({ core: { authorizationKey: "k", key: "u" } }).client().getTreatment("f");`,
  },
  {
    name: "@statsig/js-on-device-eval-client",
    packageName: "@statsig/js-on-device-eval-client",
    decides: "page",
    code: `import { StatsigOnDeviceEvalClient } from "@statsig/js-on-device-eval-client";
      const client = new StatsigOnDeviceEvalClient("k"); client.initializeAsync(); globalThis.on = client.checkGate("f", { userID: "u" });`,
  },
  {
    name: "@statsig/js-client",
    packageName: "@statsig/js-client",
    decides: "server",
    code: `import { StatsigClient } from "@statsig/js-client";
      const client = new StatsigClient("k", { userID: "u" }); client.initializeAsync(); globalThis.on = client.checkGate("f");`,
  },
  {
    name: "unleash-proxy-client",
    packageName: "unleash-proxy-client",
    decides: "server",
    code: `import { UnleashClient } from "unleash-proxy-client";
      const client = new UnleashClient({ url: "https://flags.example.com", clientKey: "k", appName: "page" });
      client.start(); globalThis.on = client.isEnabled("f");`,
  },
  {
    name: "launchdarkly-js-client-sdk",
    packageName: "launchdarkly-js-client-sdk",
    decides: "server",
    code: `import { initialize } from "launchdarkly-js-client-sdk"; globalThis.on = initialize("k", { key: "u" }).variation("f", false);`,
  },
  {
    name: "@openfeature/ofrep-web-provider with @openfeature/web-sdk",
    packageName: "@openfeature/ofrep-web-provider",
    decides: "server",
    code: `import { OFREPWebProvider } from "@openfeature/ofrep-web-provider"; import { OpenFeature } from "@openfeature/web-sdk";
      OpenFeature.setProvider(new OFREPWebProvider({ baseUrl: "https://flags.example.com" }));
      globalThis.on = OpenFeature.getClient().getBooleanValue("f", false);`,
  },
];
