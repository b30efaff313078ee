import { join } from "node:path";
import { parseArgs } from "node:util";
import { readConfig } from "../config.ts";
import { fetchBackup } from "./fetch-backup.ts";
import { raiseRestored } from "./raise-restored.ts";
import { restore } from "./restore.ts";

/**
 * Runs `backup --to FILE [--url URL]`, with an admin token in `BELAY_TOKEN`, or `restore --from FILE`, into `BELAY_DATA`.
 *
 * @throws Error in words.
 */
export async function runCommand(command: string, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { to: { type: "string" }, from: { type: "string" }, url: { type: "string" } },
  });
  const { host, port, dataDirectory } = readConfig(process.env);
  if (command === "backup" && values.to !== undefined) {
    const token = process.env["BELAY_TOKEN"] ?? process.env["BELAY_ADMIN_TOKEN"];
    if (token === undefined) throw new Error("Set BELAY_TOKEN to an access token of role admin for all projects.");
    await fetchBackup({ url: values.url ?? `http://${isEverywhere(host) ? "127.0.0.1" : host}:${port}`, token }, values.to);
    process.stdout.write(`The backup is in ${values.to}. It holds secrets: keep it as you keep the data folder.\n`);
  } else if (command === "restore" && values.from !== undefined) {
    const { madeAt, parts } = await restore(values.from, dataDirectory);
    if (parts.includes("changes.db")) await raiseRestored(join(dataDirectory, "changes.db"), Date.now);
    process.stdout.write(`${dataDirectory} is as of ${madeAt}: ${parts.join(", ")}. Start the server.\n`);
  } else throw new Error("The commands are backup --to FILE, restore --from FILE, and none to start the server.");
}

function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
