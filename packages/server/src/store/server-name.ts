import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { readSummed, writeSummed } from "./summed-file.ts";

/**
 * What the server of a data folder is called among others: the machine's name, and 8 letters that tell apart two folders on one
 * machine. Made once; it stays with the folder, wherever that goes.
 */
export async function serverNameIn(folder: string): Promise<string> {
  const file = join(folder, "server-name.json");
  const kept = await readSummed(file);
  if (typeof kept === "string") return kept;
  const made = `${hostname()}-${randomBytes(4).toString("hex")}`;
  await writeSummed(file, made);
  return made;
}
