// `npm run places -- --in ../shop --repository shop`: finds where code asks for flags, and tells the server.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseArgs } from "node:util";

const SKIPPED = new Set(["node_modules", "dist", "build", "target", "vendor", "coverage"]);
const FILE_BYTES_MAX = 1_000_000;
const PLACES_MAX = 2_000;
const QUOTED = /(["'`])([A-Za-z0-9._-]{1,128})\1/g;

const { values } = parseArgs({
  options: {
    in: { type: "string", default: "." },
    repository: { type: "string" },
    version: { type: "string" },
    project: { type: "string", default: "default" },
    url: { type: "string", default: process.env["BELAY_URL"] ?? "http://127.0.0.1:4400" },
  },
});
const token = process.env["BELAY_TOKEN"];

if (values.repository === undefined || token === undefined) {
  console.error(
    "Usage: BELAY_TOKEN=... npm run places -- --in <folder> --repository <name> [--version <commit>] [--project <key>] [--url <server>]",
  );
  process.exit(2);
}
const base = `${values.url}/api/v1/projects/${values.project}`;
const keys = await flagKeys();
const found = filesIn(values.in).flatMap((path) => placesIn(path, keys));
if (found.length > PLACES_MAX)
  console.error(`${found.length} places, of which ${PLACES_MAX} are told: a narrower --in tells the rest.`);
const places = found.slice(0, PLACES_MAX);
await send("PUT", `${base}/code-places/${values.repository}`, {
  places,
  ...(values.version === undefined ? {} : { version: values.version }),
});
console.log(`${places.length} places ask for ${new Set(places.map(({ flag }) => flag)).size} of ${keys.size} flags.`);

/** Keys of all flags, archived ones too. @returns {Promise<Set<string>>} */
async function flagKeys() {
  const all = new Set();
  for (const archived of ["false", "true"]) {
    let cursor = "";
    do {
      const answer = await send("GET", `${base}/flags?limit=500&archived=${archived}${cursor}`);
      const page = /** @type {{ items: { key: string }[], next?: string }} */ (answer);
      for (const { key } of page.items) all.add(key);
      cursor = page.next === undefined ? "" : `&cursor=${encodeURIComponent(page.next)}`;
    } while (cursor !== "");
  }
  return all;
}

/** Files below a folder that may hold code, in order. @param {string} folder @returns {string[]} */
function filesIn(folder) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith(".") || SKIPPED.has(entry.name) ? [] : filesIn(path);
    return entry.isFile() && statSync(path).size <= FILE_BYTES_MAX ? [path] : [];
  });
}

/**
 * Lines that name a flag between quotes; a file with a zero byte is no text. A word that is a flag's key and means something
 * else is among them, and a key put together while the program runs is not.
 *
 * @param {string} path
 * @param {Set<string>} known
 */
function placesIn(path, known) {
  const text = readFileSync(path, "utf8");
  if (text.includes("\0")) return [];
  const file = relative(values.in, path).split(sep).join("/");
  return text.split("\n").flatMap((content, index) => {
    const named = [...content.matchAll(QUOTED)].map(([, , key = ""]) => key).filter((key) => known.has(key));
    return [...new Set(named)].map((flag) => ({ flag, file, line: index + 1 }));
  });
}

/** @param {string} method @param {string} url @param {object} [body] @returns {Promise<unknown>} */
async function send(method, url, body) {
  const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (answer.ok) return answer.json();
  console.error(`${method} ${url} answered ${answer.status}: ${await answer.text()}`);
  process.exit(1);
}
