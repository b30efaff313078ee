/*
 * What a server's answers cost it: snapshots and decisions of 1,000 flags, changes, streams, starts. Beside it, in the same
 * run, the least that Fastify can do (of changes: with one synced SQLite transaction behind it) and, where it can be
 * installed and has a PostgreSQL, Unleash. What servers used of the processors is read from /proc, so it runs on Linux only.
 *
 *   npm run bench -- server                                  everything; under six minutes on an idle machine
 *   npm run bench -- server --only answers,streams           parts: answers, writes, streams, full, storm, starts
 *   npm run bench -- server --without-rivals                 neither installs nor starts Unleash
 */
import { fileURLToPath } from "node:url";
import { startServer, tempDir } from "@belay/testkit";
import { connectControl } from "./control.ts";
import { report, table } from "./page.ts";
import { answerRows } from "./server/answers.ts";
import { stopAsking } from "./server/asking.ts";
import { startChild } from "./server/child.ts";
import { makeFlags, startRows } from "./server/starts.ts";
import { crowdRows, fullRows, stormRows } from "./server/streams.ts";
import { startUnleash, type Unleash } from "./server/unleash.ts";
import { writeRows } from "./server/writes.ts";

const FLAGS = 1_000;
const ONLY = /--only[ =](\S+)/.exec(process.argv.join(" "))?.[1]?.split(",");
const isWanted = (part: string): boolean => ONLY === undefined || ONLY.includes(part);

const dir = await tempDir("benchmark");
let belay = await startServer({ dataDir: dir.path });
const control = await connectControl(belay);
await makeFlags(control.send, 0, FLAGS);
const headers = { authorization: `Bearer ${control.sdkKey}` };
const snapshot = await (await fetch(`${belay.url}/sdk/v1/snapshot`, { headers })).text();
const bare = await startChild(fileURLToPath(new URL("./server/bare-fastify.js", import.meta.url)), { input: snapshot });
const areRivalsAsked = isWanted("answers") || isWanted("writes");
const unleash = areRivalsAsked && !process.argv.includes("--without-rivals") ? await rival() : undefined;
const rows: string[][] = [];
if (isWanted("answers")) rows.push(...(await answerRows({ belay, control, bare, unleash }, FLAGS)));
if (isWanted("writes")) rows.push(...(await writeRows(belay, unleash, FLAGS)));
await unleash?.stop();
if (isWanted("streams")) rows.push(...(await crowdRows(belay, control, bare)));
for (const [part, run] of [
  ["full", () => fullRows(belay, control)],
  ["storm", () => stormRows(belay, control)],
  ["starts", () => startRows(belay, FLAGS)],
] as const) {
  if (!isWanted(part)) continue;
  const done = await run();
  rows.push(...done.rows);
  belay = done.server;
}
stopAsking();
await bare.stop();
await belay.stop();
await dir.remove();
report("server", table(["figure", "goal", "Belay", "bare Fastify", "Unleash 8.2.0"], rows));

/** Where it cannot run, the reason is printed and its cells stay empty. */
async function rival(): Promise<Unleash | undefined> {
  try {
    return await startUnleash(FLAGS);
  } catch (error) {
    console.error(`Unleash is not in this run: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
