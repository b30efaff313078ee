import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { TOKEN_WINDOW_MS } from "./stream-token.ts";

/** What was hashed and compared, by its length in bytes: work is counted, since time on a busy machine tells nothing. */
const work = vi.hoisted((): string[] => []);

vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  return {
    ...crypto,
    timingSafeEqual: (a: Buffer, b: Buffer): boolean => {
      work.push(`compare ${a.length} ${b.length}`);
      return crypto.timingSafeEqual(a, b);
    },
    createHash: (algorithm: string) => {
      work.push(`hash ${algorithm}`);
      return crypto.createHash(algorithm);
    },
    hash: (...[algorithm, text, encoding]: Parameters<typeof crypto.hash>): string | Buffer => {
      work.push(`hash ${algorithm}`);
      return crypto.hash(algorithm, text, encoding);
    },
  };
});

let server: TestServer;
let secrets: Record<"token" | "key", string>;
beforeAll(async () => {
  server = await testServer();
  const token = await server.ask("POST", "/api/v1/tokens", { name: "t", role: "viewer" });
  const key = await server.ask("POST", `${P}/keys`, { environment: "production", kind: "server", name: "k" });
  secrets = { token: token.body.secret, key: key.body.secret };
});
afterAll(() => server.close());
beforeEach(() => {
  work.length = 0;
});

const WRONG = (letter: string): string => (letter === "a" ? "b" : "a");

/** What the server did for one request with this secret. */
async function workFor(path: string, secret: string, status: number): Promise<string> {
  work.length = 0;
  expect((await server.ask("GET", path, undefined, { as: secret })).status).toBe(status);
  return work.join(", ");
}

const DOORS = [
  ["token", `${P}/flags`],
  ["key", "/sdk/v1/snapshot"],
] as const;

it.each(DOORS)("fault 52: a wrong %s costs the same work however much of it is right, known or not", async (kind, path) => {
  const secret = secrets[kind];
  const prefix = secret.lastIndexOf("_") + 1;
  const partly = [...secret].slice(prefix).map((letter, at) => {
    const right = secret.slice(0, prefix + at);
    return right + WRONG(letter) + "a".repeat(secret.length - right.length - 1);
  });
  const unknown = `${secret.slice(0, prefix - 13)}${"a".repeat(12)}_${"a".repeat(32)}`;
  const tried = [...partly, unknown, "x", "x".repeat(secret.length), `${secret}x`, secret.slice(0, -1)];
  const costs = new Set<string>();
  for (const wrong of tried) costs.add(await workFor(path, wrong, 401));
  expect(tried).toHaveLength(37);
  // Looked for among the keys of both kinds: each is hashed and compared whole, with or without a record to compare with.
  const one = "hash sha256, compare 32 32";
  expect([...costs]).toEqual([`${one}, ${one}`]);
  expect(await workFor(path, secret, 200)).toMatch(new RegExp(`^${one}(, hash sha\\d+)*$`));
});

it("fault 52: a wrong stream token is compared whole however much of its signature is right", async () => {
  const { body } = await server.ask("POST", "/ofrep/v1/evaluate/flags", { context: { targetingKey: "u" } }, { as: secrets.key });
  const token = new URL(`http://x${body.eventStreams[0].endpoint.requestUri}`).searchParams.get("token") ?? "";
  const cut = token.lastIndexOf(".") + 1;
  const costs = new Set<string>();
  for (let at = cut; at < token.length; at += 1) {
    const wrong = `${token.slice(0, at)}${WRONG(token[at] as string)}${token.slice(at + 1)}`;
    work.length = 0;
    expect((await server.ask("GET", `/ofrep/v1/stream?token=${wrong}`)).status).toBe(401);
    costs.add(work.join(", "));
  }
  expect([token.length - cut, [...costs], TOKEN_WINDOW_MS]).toEqual([43, ["compare 43 43"], 1_800_000]);
});
