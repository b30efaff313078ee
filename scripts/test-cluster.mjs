// `npm run test:cluster`: the tests that start several engines at once, too slow for every run of `npm test`.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { TSC } from "./build.mjs";
import { ensureInstalled, ROOT } from "./install.mjs";
import { requireNode } from "./node-version.mjs";

requireNode();
ensureInstalled("all");
const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
const steps = [
  [TSC, "-b"],
  [vitest, "run", "packages/server/src/store/events/clickhouse/cluster.test.ts"],
];
for (const step of steps) {
  const env = { ...process.env, BELAY_TEST_CLUSTER: "1" };
  const { status } = spawnSync(process.execPath, step, { cwd: ROOT, env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
