// Loaded into a process before its program (`node --import`): its wall clock is off by the milliseconds that a file holds,
// read again at each SIGUSR2. Waits are not: like the real thing, a clock that jumps moves no timer.
import { readFileSync } from "node:fs";

const RealDate = globalThis.Date;
let offsetMs = 0;

function read() {
  offsetMs = Number(readFileSync(process.env.BELAY_TEST_CLOCK_FILE, "utf8"));
}

globalThis.Date = class MovedDate extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + offsetMs);
    else super(...parts);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
};

read();
process.on("SIGUSR2", read);
