import { expect, it } from "vitest";
import { ProblemError } from "./http/problem.ts";
import { startFault } from "./start-fault.ts";

it.each([
  [Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" }), "The disk of the data folder /data is full."],
  [
    Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }),
    "The disk of the data folder /data is full.",
  ],
  [
    new ProblemError("store_unavailable", { store: "The change log", reason: "ECONNREFUSED", retryAfterS: 1 }),
    "The change log cannot take this now: ECONNREFUSED. The data folder holds nothing to start from without it.",
  ],
  [new Error("Port 4400 of 127.0.0.1 is taken."), "Port 4400 of 127.0.0.1 is taken."],
])("%s is said as something to act on", (error, words) => {
  expect(startFault(error, "/data")).toMatchObject({ message: expect.stringContaining(words) });
});
