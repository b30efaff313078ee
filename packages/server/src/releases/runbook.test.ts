import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Release } from "@belay/protocol";
import { adminOf, needPrograms, startServer, tempDir } from "@belay/testkit";
import { expect, it } from "vitest";
import { ERRORS } from "./release.fixture.ts";

const ENVIRONMENT = "/projects/default/environments/production";
const CHECKOUT = `${ENVIRONMENT}/releases/checkout`;

/** The built server and curl: commands are run as printed, the placeholder of the token aside. */
it("prints commands that work when pasted", { timeout: 120_000 }, async (context) => {
  needPrograms(context, "bash", "curl", "openssl");
  const server = await startServer();
  const { send } = adminOf(server.url, server.adminToken);
  await send("POST", "/projects/default/flags", { key: "checkout" });
  const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
  const contacts = { owner: "Ann | <b>", onCall: "Bob" };
  const guardrails = [ERRORS];
  await send("POST", `${ENVIRONMENT}/releases`, {
    key: "checkout",
    flag: "checkout",
    stages,
    guardrails,
    contacts,
    alertRoutes: ["slack:#r"],
  });
  await send("POST", `${CHECKOUT}/ready`, {});
  await send("POST", `${CHECKOUT}/start`, {});
  // No stage is left on missing data: one failure makes the guardrail heard of.
  const key = { environment: "production", kind: "server", name: "t" };
  const { secret } = await send<{ secret: string }>("POST", "/projects/default/keys", key);
  const batch = {
    batchId: "b1",
    sentAtMs: Date.now(),
    sdk: "test/1",
    instance: "8f14e45f-ceea-467f-a8f0-5d6d1f0a0c11",
    metrics: [{ seq: 1, timeMs: Date.now(), name: "error", unit: "u1" }],
  };
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  const received = await fetch(`${server.url}/sdk/v1/events`, { method: "POST", headers, body: JSON.stringify(batch) });
  expect(received.status).toBe(202);
  await expect
    .poll(async () => (await send<{ items: { lastEventAt?: string }[] }>("GET", `${CHECKOUT}/guardrails`)).items[0]?.lastEventAt)
    .toBeDefined();

  const answer = await fetch(`${server.url}/api/v1${CHECKOUT}/runbook`, {
    headers: { authorization: `Bearer ${server.adminToken}` },
  });
  expect(answer.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
  const text = await answer.text();
  expect(text).toContain("it is ramping at 10 %");
  expect(text).toContain("Owner: Ann \\| \\<b\\>. On call: Bob.");
  const page = await fetch(`${server.url}/api/v1${CHECKOUT}/runbook?format=html`, {
    headers: { authorization: `Bearer ${server.adminToken}` },
  });
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const html = await page.text();
  expect(html).toContain("Owner: Ann | &#60;b&#62;. On call: Bob.");
  expect(html).not.toMatch(/<script|<b>/);
  const blocks = [...text.matchAll(/## (.+?)\n(?:(?!## )[\s\S])*?```sh\n([\s\S]*?)\n```/g)];
  // The page prints the very same commands, in the same order; those of the text are run below.
  const onPage = [...html.matchAll(/<h2>(.+?)<\/h2>(?:(?!<h2>)[\s\S])*?<pre><code>([\s\S]*?)<\/code><\/pre>/g)];
  const unescaped = (escaped: string): string => escaped.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
  expect(onPage.map(([, title = "", command = ""]) => [title, unescaped(command)])).toEqual(
    blocks.map(([, title, command]) => [title, command]),
  );
  expect(text.match(/```sh\n/g)).toHaveLength(blocks.length);
  const [setUp, ...commands] = blocks.map(([, title = "", command = ""]) => ({ title, command }));
  const shell = (setUp?.command ?? "").replace("...", server.adminToken);

  const folder = await tempDir("runbook");
  const seen: unknown[] = [];
  for (const { title, command } of commands) {
    const { stdout } = await promisify(execFile)("bash", ["-ec", `${shell}\n${command}`], { cwd: folder.path });
    expect(stdout, title).not.toBe("");
    if (title.startsWith("Prove")) expect(stdout).toBe("Signature Verified Successfully\n");
    const { state, stage, evidence } = await send<Release>("GET", CHECKOUT);
    seen.push([title, state.replace("rolling-back", "rolled-back"), stage, evidence.runbookTried !== undefined]);
  }
  expect(seen).toEqual([
    ["Look", "ramping", 0, false],
    ["Hold", "holding", 0, false],
    ["Resume", "ramping", 0, false],
    ["Advance", "full", 1, false],
    ["Roll back", "rolled-back", 1, false],
    ["Verify", "rolled-back", 1, false],
    ["Read what happened", "rolled-back", 1, false],
    ["Prove that the log is what the server wrote", "rolled-back", 1, false],
    ["Say that you tried this", "rolled-back", 1, true],
  ]);
  expect(await readFile(join(folder.path, "checkout.html"), "utf8")).toMatch(/<h1>checkout (was|is being) rolled back: /);
  await folder.remove();
  await server.stop();
});
