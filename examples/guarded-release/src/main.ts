// A release that makes things worse, found and taken back while you watch; its healthy twin climbs on. Writes a picture.
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { picture } from "./picture.ts";
import { play } from "./story.ts";

const FILE = resolve(process.argv[2] ?? "guarded-release.svg");

console.log(`Three shops serve 1,500 visitors a second; a story of 1,000 a minute passes 90 times as fast.
1 of 100 orders fails. With the new checkout it is 5 of 100; the new search harms nobody. Evidence of 100 takes a release back.
`);
const story = await play({ say: (atMs, line) => console.log(`[${(atMs / 1_000).toFixed(1).padStart(5)} s] ${line}`) });
await writeFile(FILE, picture(story));

const { checkout, search } = story.releases;
const after = story.afterwards;
const served = after.reduce((sum, { visitors }) => sum + visitors, 0);
const exposed = after.reduce((sum, { treated }) => sum + treated.checkout, 0);
const holds = checkout.state === "rolled-back" && exposed === 0 && search.state !== "rolled-back";
console.log(`
checkout: found after ${seconds(story.rollback.decidedAtMs)}, off in all three shops after ${seconds(story.rollback.offAtMs)}; of the next ${served} visitors, ${exposed} got it
search: stands at ${search.stages[search.stage ?? 0]?.percentage} % and was never taken back
picture: ${FILE}
${holds ? "Everything held." : "SOMETHING DID NOT HOLD; see above."}`);
process.exitCode = holds ? 0 : 1;

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
