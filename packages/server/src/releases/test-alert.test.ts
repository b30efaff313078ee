import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import type { DeliveryStore } from "../store/deliveries/index.ts";
import { webhookDoors } from "../webhooks/routes.ts";
import type { Sent } from "../webhooks/sender.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { ERRORS } from "./release.fixture.ts";

const CHECKOUT = `${E}/releases/checkout`;
const URL = "https://alerts.example.org/in";

let server: ReleaseServer;
let ask: ReleaseServer["ask"];
let sent: { readonly url: string; readonly type: string }[];
let answer: Sent;

beforeEach(async () => {
  [sent, answer] = [[], { status: 204 }];
  const send = async (url: string, _: unknown, body: string): Promise<Sent> => {
    sent.push({ url, type: JSON.parse(body).type });
    return answer;
  };
  const fillRandom = (bytes: Uint8Array<ArrayBuffer>): Uint8Array => crypto.getRandomValues(bytes);
  const hooks = { send, fillRandom, store: {} as DeliveryStore, courier: { wake: () => undefined }, now: Date.now };
  server = await releaseServer({ send, doors: [webhookDoors(hooks)] });
  ({ ask } = server);
  await ask("POST", `${P}/flags`, { key: "checkout" });
  expect((await ask("POST", `${P}/webhooks`, { key: "ops", url: URL })).status).toBe(201);
  const alertRoutes = ["webhook:ops", URL, "mailto:ann@example.org"];
  await ask("POST", `${E}/releases`, { key: "checkout", flag: "checkout", guardrails: [ERRORS], alertRoutes });
});
afterEach(() => server.close());

const tested = async (route: string): Promise<[number, string[]]> => {
  const { status } = await ask("POST", `${CHECKOUT}/evidence`, { kind: "alert-tested", route });
  return [status, Object.keys((await ask("GET", CHECKOUT)).body.evidence.alertsTested ?? {})];
};

it("is sent by the webhook that carries the route, and is evidence because it arrived", async () => {
  expect(await tested("webhook:ops")).toEqual([200, ["webhook:ops"]]);
  expect(await tested(URL)).toEqual([200, ["webhook:ops", URL]]);
  expect(sent).toEqual([
    { url: URL, type: "webhook.test" },
    { url: URL, type: "webhook.test" },
  ]);
});

it("is no evidence where the receiver did not take it, and says why", async () => {
  answer = { status: 500, fault: "the receiver answered 500" };
  const refused = await ask("POST", `${CHECKOUT}/evidence`, { kind: "alert-tested", route: "webhook:ops" });
  expect([refused.status, refused.body.code, refused.body.field]).toEqual([422, "invalid_field", "route"]);
  expect(refused.body.detail).toContain("the test message to the webhook ops did not arrive: the receiver answered 500");
  expect((await ask("GET", CHECKOUT)).body.evidence).toEqual({});
});

it("is a person's word where nothing here sends by the route, and nothing of a route the release has not", async () => {
  expect(await tested("mailto:ann@example.org")).toEqual([200, ["mailto:ann@example.org"]]);
  expect(await tested("webhook:other")).toEqual([422, ["mailto:ann@example.org"]]);
  expect(sent).toEqual([]);
});
