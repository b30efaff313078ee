import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`./packages/${path}`, import.meta.url));

// Tests run on the sources, so that a failing line is the line on the screen; what spawns a process runs the build.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@belay\/protocol\/schemas$/, replacement: source("protocol/src/schemas.ts") },
      { find: /^@belay\/core\/client$/, replacement: source("core/src/client/index.ts") },
      { find: /^@belay\/core\/compact$/, replacement: source("core/src/compact/index.ts") },
      { find: /^@belay\/core\/legacy-hashes$/, replacement: source("core/src/legacy-hashes.ts") },
      { find: /^@belay\/testkit\/openfeature$/, replacement: source("testkit/src/openfeature/index.ts") },
      { find: /^@belay\/([a-z-]+)$/, replacement: `${source("")}$1/src/index.ts` },
    ],
  },
  test: {
    include: ["{packages,examples}/*/src/**/*.test.ts", "benchmarks/src/**/*.test.ts", "scripts/*.test.ts"],
    // Many tests wait for processes, disks and timers: on two cores the default, one file at a time, leaves both idle.
    maxWorkers: Math.max(2, availableParallelism()),
    // Generous: a bound that matters is asserted in its test; this one only ends what hangs, on a busy machine too.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Where nobody watches, a test on real disks, sockets and browsers gets a second try, and `npm test` names each that
    // needed one. On a person's machine there is none: a test that fails now and then is a defect, seen at once.
    retry: Number(process.env["BELAY_TEST_RETRIES"] ?? 0),
    expect: { poll: { timeout: 10_000 } },
  },
});
