import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { type Dice, seeded } from "@belay/testkit";
import { csvRows } from "./csv.ts";

/** One player of the game and what became of them. */
export interface Player {
  readonly id: string;
  /** The arm the original experiment had put them in. Our own split does not read it. */
  readonly originalArm: "gate_30" | "gate_40";
  /** Rounds played in the first 14 days. */
  readonly rounds: number;
  /** Came back one day after installing. */
  readonly retained1: boolean;
  /** Came back seven days after installing. */
  readonly retained7: boolean;
}

export interface Crowd {
  readonly players: readonly Player[];
  /** `real`: the recorded experiment; `generated`: dice. */
  readonly origin: "real" | "generated";
}

const BESIDE_THE_REPOSITORY = fileURLToPath(new URL("../../../../shared/data/cookie_cats.csv.gz", import.meta.url));
const GENERATED_PLAYERS = 100_000;
const SEED = 20_261_122;

/**
 * The players of the recorded experiment, from the file that `BELAY_COOKIE_CATS` names or that lies in
 * `../shared/data` beside the repository; generated ones, the same every time, where there is none.
 *
 * @throws Error when the file that the variable names is not there, or the file is not the one expected.
 */
export function loadPlayers(env: NodeJS.ProcessEnv = process.env): Crowd {
  const named = env["BELAY_COOKIE_CATS"];
  if (named !== undefined && !existsSync(named)) throw new Error(`BELAY_COOKIE_CATS names no file: ${resolve(named)}`);
  const file = named ?? BESIDE_THE_REPOSITORY;
  if (!existsSync(file)) return { players: generatePlayers(GENERATED_PLAYERS, seeded(SEED)), origin: "generated" };
  return { players: readPlayers(gunzipSync(readFileSync(file)).toString("utf8")), origin: "real" };
}

/** Players from the recorded experiment's CSV text. */
export function readPlayers(text: string): Player[] {
  const [header = [], ...rows] = csvRows([text]);
  if (header.join() !== "userid,version,sum_gamerounds,retention_1,retention_7") {
    throw new Error(`These are not the columns of the Cookie Cats experiment: ${header.join()}`);
  }
  return rows.map(([id = "", version, rounds = "", retained1, retained7]) => ({
    id,
    originalArm: version === "gate_40" ? "gate_40" : "gate_30",
    rounds: Number(rounds),
    retained1: retained1 === "TRUE",
    retained7: retained7 === "TRUE",
  }));
}

/** Players with about the habits of the recorded ones: most play little, a few very much, who comes back plays more. */
export function generatePlayers(count: number, dice: Dice): Player[] {
  return Array.from({ length: count }, (_, index) => {
    const retained1 = dice.fraction() < 0.445;
    const retained7 = dice.fraction() < (retained1 ? 0.32 : 0.075);
    const typical = 6 + (retained1 ? 25 : 0) + (retained7 ? 90 : 0);
    return {
      id: String(1_000_000 + index * 97),
      originalArm: dice.fraction() < 0.5 ? "gate_30" : "gate_40",
      rounds: Math.floor(typical * -Math.log(1 - dice.fraction())),
      retained1,
      retained7,
    };
  });
}
