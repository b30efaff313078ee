import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ADMIN_TOKEN, freePort, givenMs, startServer, tempDir } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { streamsWithin } from "./descriptors.ts";
import { type Reader, readStream } from "./sse.fixture.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

async function serverKey(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/projects/default/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ environment: "production", kind: "server" }),
  });
  return ((await answer.json()) as { readonly secret: string }).secret;
}

describe("streams within the limit of descriptors", () => {
  it.each([
    [undefined, 15_000],
    [1_048_576, 15_000],
    [16_000, 15_000],
    [4_096, 3_096],
    [1_024, 768],
    [100, 75],
  ])("a limit of %s gives place for %d", (limit, streams) => {
    expect(streamsWithin(limit, 15_000)).toBe(streams);
  });

  it("are refused with a time to come back before descriptors run out, while changes still come through", async () => {
    const dir = await tempDir("descriptors");
    const port = await freePort();
    const env = { ...process.env, BELAY_PORT: String(port), BELAY_DATA: join(dir.path, "data"), BELAY_ADMIN_TOKEN: ADMIN_TOKEN };
    // Node raises the soft limit to the hard one at its start: both are lowered. Its loader alone needs hundreds.
    const server = spawn("bash", ["-c", `ulimit -n 1024; exec "${process.execPath}" "${MAIN}"`], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(server.stdout, "data");
    const url = `http://127.0.0.1:${port}`;
    const key = await serverKey(url);
    const readers: Reader[] = [];
    for (let n = 0; n < 780; n += 52) {
      readers.push(...(await Promise.all(Array.from({ length: 52 }, () => readStream(url, key)))));
    }
    const refused = readers.filter(({ status }) => status !== 200);
    expect(readers.length - refused.length).toBe(768);
    expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 503));
    expect(refused.every(({ headers }) => Number(headers["retry-after"]) >= 1)).toBe(true);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(await serverKey(url)).toMatch(/^belay_server_/);
    for (const { request } of readers) request.destroy();
    server.kill("SIGTERM");
    expect(await once(server, "exit")).toEqual([0, null]);
    await dir.remove();
  });
});

it("fault 26: a server of 1,000 streams ends with 0 within its five seconds, each client told when to come back", async () => {
  const server = await startServer();
  const key = await serverKey(server.url);
  const readers: Reader[] = [];
  for (let n = 0; n < 1_000; n += 50) {
    readers.push(...(await Promise.all(Array.from({ length: 50 }, () => readStream(server.url, key)))));
  }
  // Past its deadline of 4.5 s it would end itself with 1.
  const endedMs = await givenMs([server.pid], async () => expect(await server.stop()).toEqual({ code: 0 }));
  expect(endedMs).toBeLessThan(5_000);
  expect(new Set(await Promise.all(readers.map(({ ended }) => ended)))).toEqual(new Set(["end"]));
  const last = readers.map(({ retries }) => retries.at(-1) ?? 0);
  expect(readers.every(({ retries }) => retries.length === 2)).toBe(true);
  expect([Math.min(...last) >= 1_000, Math.max(...last) <= 10_000]).toEqual([true, true]);
  // Spread over nine seconds, 1,000 clients leave no second of them with more than twice its share.
  const seconds = last.map((ms) => Math.floor(ms / 1_000));
  const busiest = Math.max(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((second) => seconds.filter((one) => one === second).length));
  expect(busiest).toBeLessThan(222);
});
