// From `git clone` of this repository to a printed `true`, as a newcomer would: the README's first command, its two REST
// calls and its five lines, in an empty folder with empty package caches. Prints where the time went.
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, tempDir } from "@belay/testkit";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const ADMIN_TOKEN = "benchmark-admin-token-0123456789abcdef";

const folder = await tempDir("first-true");
const clone = join(folder.path, "belay");
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const env = {
  ...process.env,
  npm_config_cache: join(folder.path, "npm-cache"),
  // Where pnpm keeps its store and what it knows of packages.
  XDG_DATA_HOME: join(folder.path, "data"),
  XDG_CACHE_HOME: join(folder.path, "cache"),
  BELAY_PORT: String(port),
  BELAY_ADMIN_TOKEN: ADMIN_TOKEN,
};

const startedAt = performance.now();
const seconds = (): string => `${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s`;
await ended(spawn("git", ["clone", "--quiet", REPOSITORY, clone], { stdio: "inherit" }));
console.log(`${seconds()}  cloned`);
const server = spawn("npm", ["start"], { cwd: clone, env, stdio: ["ignore", "pipe", "inherit"] });
const sdkKey = await printed(server, /SDK key development\s+(\S+)/);
console.log(`${seconds()}  server runs`);
await send("POST", "/api/v1/projects/default/flags", { key: "new-checkout" });
await send("PUT", "/api/v1/projects/default/environments/development/flags/new-checkout/rollout", { percentage: 100 });
writeFileSync(
  join(clone, "first.mjs"),
  `import { createClient } from "@belay/sdk-node";
const belay = createClient({ url: "${url}", sdkKey: process.env["BELAY_SDK_KEY"] ?? "" });
await belay.ready({ timeoutMs: 2000 });
console.log(belay.isEnabled("new-checkout", { targetingKey: "user-42" }));
await belay.close();
`,
);
const application = spawn(process.execPath, ["first.mjs"], {
  cwd: clone,
  env: { ...env, BELAY_SDK_KEY: sdkKey },
  stdio: ["ignore", "pipe", "inherit"],
});
await printed(application, /^(true)$/m);
console.log(`${seconds()}  the SDK printed true`);
server.kill("SIGTERM");
await ended(server);
rmSync(clone, { recursive: true, force: true });
await folder.remove();

async function send(method: string, path: string, body: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
}

/** The first group of the pattern, once the process has written it. */
function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("close", () => reject(new Error(`ended without printing ${pattern}:\n${text}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once("close", () => resolve()));
}
