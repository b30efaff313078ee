import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { ERRORS } from "@belay/protocol";
import { freePort, type TempDir, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "./install.mjs";
import { codeBlocks } from "./markdown.fixture.ts";

// The README's first screen, as a newcomer would follow it: `npm start`, the two requests, the five lines.
const README_URL = "http://127.0.0.1:4400";
const blocks = codeBlocks(readFileSync(join(ROOT, "README.md"), "utf8"));
const SECRETS = /belay_(token|server|client)_\w+/g;

let data: TempDir;
let port: number;
let first: Started;

beforeAll(async () => {
  data = await tempDir("first-screen");
  port = await freePort();
  first = await start();
});

afterAll(async () => {
  first.child.kill("SIGKILL");
  await data.remove();
});

describe("the first screen of the README", () => {
  it("starts, and shows an admin token and one SDK key an environment", () => {
    expect(first.output()).toContain(`http://127.0.0.1:${port}`);
    expect(first.output().match(/admin token\s+belay_token_\w+/g)).toHaveLength(1);
    const environments = [...first.output().matchAll(/SDK key (\w+)\s+belay_server_\w+/g)].map(([, name]) => name);
    expect(environments).toEqual(["development", "staging", "production"]);
  });

  it("takes the requests as printed, and the five lines print true", async () => {
    const token = secretAfter("admin token");
    const requests = curls(blocks.filter(({ info }) => info === "sh")[1]?.code ?? "");
    expect(requests).toHaveLength(2);
    const statuses: number[] = [];
    for (const { method, url, body } of requests) {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      statuses.push((await fetch(here(url), { method, headers, body })).status);
    }
    expect(statuses.every((status) => status >= 200 && status < 300)).toBe(true);
    expect(await runProgram(blocks.find(({ info }) => info === "ts")?.code ?? "", secretAfter("SDK key development"))).toBe(
      "true\n",
    );
  });

  it("answers over OFREP as printed", async () => {
    const [request] = curls(blocks.find(({ code }) => code.includes("/ofrep/"))?.code ?? "");
    const headers = { authorization: `Bearer ${secretAfter("SDK key development")}`, "content-type": "application/json" };
    const answer = await fetch(here(request?.url ?? ""), { method: request?.method ?? "", headers, body: request?.body ?? "" });
    expect([answer.status, ((await answer.json()) as { value: unknown }).value]).toEqual([200, true]);
  });

  it("describes exactly the errors of the dictionary at /docs/json, and refers to nothing that is not there", async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/docs/json`)).text();
    const description = JSON.parse(text) as {
      components: { schemas: { Problem: { properties: { code: { enum: string[] } } } } };
    };
    const named = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference));
    const offered = Object.keys(description.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...named].filter((reference) => !offered.includes(reference ?? ""))).toEqual([]);
    expect(description.components.schemas.Problem.properties.code.enum.toSorted()).toEqual(Object.keys(ERRORS).sort());
  });

  it("ends at SIGTERM with status 0, and a second start keeps the flag and prints no secret", async () => {
    const token = secretAfter("admin token");
    expect(await stop(first)).toBe(0);
    const second = await start();
    try {
      expect(second.output().match(SECRETS)).toBeNull();
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/projects/default/flags/new-checkout`, { headers });
      expect(await answer.json()).toMatchObject({ key: "new-checkout" });
    } finally {
      expect(await stop(second)).toBe(0);
    }
  });
});

it("does not stay behind when npm was told to end and only its shell went", async () => {
  const own = { port: await freePort(), data: await tempDir("orphan") };
  try {
    // `; true` keeps the shell from becoming the program, as npm's shell does.
    const { child } = await start(["sh", ["-c", `"${process.execPath}" scripts/start.mjs; true`]], {
      ...{ BELAY_PORT: String(own.port), BELAY_DATA: own.data.path, npm_lifecycle_event: "start" },
    });
    child.kill("SIGKILL");
    expect(await refusesWithin(`http://127.0.0.1:${own.port}/health/live`, 10_000)).toBe(true);
  } finally {
    await own.data.remove();
  }
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** `npm start` without npm: the same script, on a port and a folder of its own. */
async function start(
  [program, args]: [string, string[]] = [process.execPath, ["scripts/start.mjs"]],
  settings: Readonly<Record<string, string>> = { BELAY_PORT: String(port), BELAY_DATA: data.path },
): Promise<Started> {
  // What the tests run under must not leak in: neither a token nor the package manager's own variables.
  const { BELAY_ADMIN_TOKEN: _, npm_lifecycle_event: __, ...env } = process.env;
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, CI: "true", ...settings },
  });
  let text = "";
  const collect = (chunk: Buffer): void => {
    text += chunk.toString("utf8");
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const started: Started = { child, output: () => text };
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 50) {
    if (text.includes("Belay runs at") || child.exitCode !== null) break;
    await sleep(50);
  }
  if (!text.includes("Belay runs at")) throw new Error(`npm start did not serve:\n${text}`);
  return started;
}

function stop({ child }: Started): Promise<number | null> {
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}

/** Whether nothing listens at `url` any more, at the latest after `timeoutMs`. */
async function refusesWithin(url: string, timeoutMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 100) {
    try {
      await (await fetch(url)).arrayBuffer();
    } catch {
      return true;
    }
    await sleep(100);
  }
  return false;
}

function secretAfter(label: string): string {
  return new RegExp(`${label}\\s+(belay_\\w+)`).exec(first.output())?.[1] ?? "";
}

function here(url: string): string {
  return url.replace(README_URL, `http://127.0.0.1:${port}`);
}

/** The requests of the README's `curl` lines: no curl is needed to test them. */
function curls(script: string): { method: string; url: string; body: string }[] {
  const commands = script.replaceAll("\\\n", " ").matchAll(/^curl -X (\w+) (\S+).* -d '([^']+)'/gm);
  return [...commands].map(([, method = "", url = "", body = ""]) => ({ method, url, body }));
}

/** Runs the README's program inside the repository, as it says. */
async function runProgram(code: string, sdkKey: string): Promise<string> {
  const folder = join(ROOT, ".tmp", `first-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, "first.mjs"), here(code));
    const env = { ...process.env, BELAY_SDK_KEY: sdkKey };
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "first.mjs")], { cwd: ROOT, env });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
