/* The adapter and the endpoint with the real `flags` package. */
import { createAccessProof } from "flags";
import { describe, expect, it } from "vitest";
import { testClient } from "./clients.fixture.ts";
import { belayAdapter, discoveryEndpoint } from "./next-flags.ts";
import { rollout, snapshotOf } from "./rules.fixture.ts";

const SECRET = Buffer.from(Uint8Array.from({ length: 32 }, (_, n) => n)).toString("base64url");
const OTHER = Buffer.from(Uint8Array.from({ length: 32 }, (_, n) => n + 1)).toString("base64url");

type Adapted = ReturnType<typeof belayAdapter<unknown>>;
type Decided = Parameters<Adapted["decide"]>[0];

describe("the adapter", () => {
  const decide = (asked: Partial<Decided> & { key: string }): unknown => {
    const { belay } = testClient({ bootstrap: snapshotOf(7, { checkout: rollout(500_000) }), offline: true });
    return belayAdapter<unknown>(belay).decide({ headers: new Headers(), cookies: {}, ...asked } as unknown as Decided);
  };

  it("decides for whom `identify` named, as the client does", () => {
    const { belay } = testClient({ bootstrap: snapshotOf(7, { checkout: rollout(500_000) }), offline: true });
    const units = Array.from({ length: 100 }, (_, n) => ({ targetingKey: `user-${n}` }));
    const decided = units.map((entities) => decide({ key: "checkout", entities, defaultValue: false }));
    expect(decided).toEqual(units.map((unit) => belay.isEnabled("checkout", unit)));
    expect(new Set(decided)).toEqual(new Set([true, false]));
  });

  it("gives the default where there is no flag, no unit or another type, and wants one", () => {
    const entities = { targetingKey: "user-1" };
    expect(decide({ key: "nowhere", entities, defaultValue: "mine" })).toBe("mine");
    expect(decide({ key: "checkout", defaultValue: true })).toBe(true);
    expect(decide({ key: "checkout", entities, defaultValue: 7 })).toBe(7);
    expect(() => decide({ key: "checkout", entities })).toThrow("the flag checkout needs a defaultValue");
  });
});

describe("the discovery endpoint", () => {
  const data = { definitions: { checkout: { description: "The new checkout", options: [{ value: true }, { value: false }] } } };
  const ask = async (authorization?: string, secret: string | undefined = SECRET): Promise<[number, unknown]> => {
    let told = 0;
    const endpoint = discoveryEndpoint(() => {
      told += 1;
      return data;
    }, secret);
    const headers = authorization === undefined ? {} : { authorization };
    const response = await endpoint(new Request("http://shop.example/.well-known/vercel/flags", { headers }));
    expect(told).toBe(response.status === 200 ? 1 : 0);
    return [response.status, await response.json()];
  };

  it("tells who proves to know the secret", async () => {
    expect(await ask(`Bearer ${await createAccessProof(SECRET)}`)).toEqual([200, data]);
  });

  it("refuses everybody else, and always without a secret of the right length", async () => {
    const proof = `Bearer ${await createAccessProof(SECRET)}`;
    const refused = [401, { error: "unauthorized" }];
    expect(await ask()).toEqual(refused);
    expect(await ask("Bearer nonsense")).toEqual(refused);
    expect(await ask(`Bearer ${SECRET}`)).toEqual(refused);
    expect(await ask(`Bearer ${await createAccessProof(OTHER)}`)).toEqual(refused);
    expect(await ask(proof, "")).toEqual(refused);
    expect(await ask(proof, "short")).toEqual(refused);
  });
});
