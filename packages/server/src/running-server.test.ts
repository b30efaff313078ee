import { expect, it } from "vitest";
import { closing } from "./running-server.ts";

it("ends all, the last first, whichever of them fails, and says the first failure", async () => {
  const { closers, close } = closing();
  const ended: string[] = [];
  const ends = (name: string, fault?: string) => async () => {
    ended.push(name);
    if (fault !== undefined) throw new Error(fault);
  };
  closers.push(ends("log"), ends("spool", "no room"), ends("lease", "away"), ends("streams"));
  await expect(close()).rejects.toThrow("away");
  expect(ended).toEqual(["streams", "lease", "spool", "log"]);
  await close();
  expect(ended).toHaveLength(4);
});
