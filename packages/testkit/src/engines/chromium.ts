import { existsSync } from "node:fs";
import { mayMissEngines } from "./engine-process.ts";

/** What to do where there is no Chromium: the end of a loud line. */
const CHROMIUM_HINT = "apt-get install chromium, or set BELAY_TEST_CHROMIUM";

/**
 * The browser that tests run in: `BELAY_TEST_CHROMIUM`, or where Debian puts it; `undefined` where there is none, which is
 * said aloud.
 *
 * @throws Error where there is none and it must be there, see `mayMissEngines`
 */
export function chromiumPath(
  candidates: readonly (string | undefined)[] = [process.env["BELAY_TEST_CHROMIUM"], "/usr/bin/chromium"],
): string | undefined {
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found !== undefined) return found;
  const what = `NO CHROMIUM (${CHROMIUM_HINT})`;
  if (!mayMissEngines()) throw new Error(`${what}: BELAY_REQUIRE_ENGINES or CI says that it must be there`);
  console.warn(`${what}: the tests in a browser do not run`);
  return undefined;
}
