import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { readSummed, writeSummed } from "./summed-file.ts";

/**
 * What the server of a data folder is called among others: the machine's name, and 8 letters that tell apart two folders on one
 * machine. Made once; it stays with the folder, wherever that goes.
 */
export async function serverNameIn(folder: string): Promise<string> {
  const kept = await keptNameIn(folder);
  if (kept !== undefined) return kept;
  const made = `${hostname()}-${randomBytes(4).toString("hex")}`;
  await writeSummed(join(folder, NAME), made);
  return made;
}

/**
 * Of whose events a copy of this folder is: its own server's, where that has a name, and those it inherited itself and nobody was
 * told of yet. A restored folder has no name: several may be made of one backup, and each is a server of its own.
 */
export async function namesToInherit(folder: string): Promise<readonly string[]> {
  const own = await keptNameIn(folder);
  return [...(own === undefined ? [] : [own]), ...(await inheritedNamesIn(folder))];
}

/** The servers of whose backup this folder was restored, until they are settled. */
export async function inheritedNamesIn(folder: string): Promise<readonly string[]> {
  const kept = await readSummed(join(folder, INHERITED));
  return Array.isArray(kept) ? kept.filter((name) => typeof name === "string") : [];
}

export async function inheritNames(folder: string, names: readonly string[]): Promise<void> {
  if (names.length > 0) await writeSummed(join(folder, INHERITED), names);
}

export async function settleInheritance(folder: string): Promise<void> {
  await rm(join(folder, INHERITED), { force: true });
}

async function keptNameIn(folder: string): Promise<string | undefined> {
  const kept = await readSummed(join(folder, NAME));
  return typeof kept === "string" ? kept : undefined;
}

const NAME = "server-name.json";
const INHERITED = "inherited-names.json";
