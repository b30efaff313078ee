import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { generatePlayers, loadPlayers, readPlayers } from "./players.ts";

describe("players", () => {
  it("reads the recorded experiment's rows", () => {
    const text = "userid,version,sum_gamerounds,retention_1,retention_7\n116,gate_30,3,FALSE,FALSE\n377,gate_40,165,TRUE,FALSE\n";
    expect(readPlayers(text)).toEqual([
      { id: "116", originalArm: "gate_30", rounds: 3, retained1: false, retained7: false },
      { id: "377", originalArm: "gate_40", rounds: 165, retained1: true, retained7: false },
    ]);
  });

  it("refuses another file's columns", () => {
    expect(() => readPlayers("id,arm\n1,a\n")).toThrow("not the columns");
  });

  it("says so when the named file is not there, instead of generating", () => {
    expect(() => loadPlayers({ BELAY_COOKIE_CATS: "no-such-file.csv.gz" })).toThrow("names no file");
  });

  it("generates the same players from the same seed, each with an id of their own", () => {
    const players = generatePlayers(20_000, seeded(1));
    expect(players).toEqual(generatePlayers(20_000, seeded(1)));
    expect(new Set(players.map(({ id }) => id)).size).toBe(20_000);
    const shareBack = players.filter(({ retained1 }) => retained1).length / 20_000;
    expect(Math.abs(shareBack - 0.445)).toBeLessThan(0.015);
  });
});
