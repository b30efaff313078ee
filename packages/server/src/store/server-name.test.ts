import { join } from "node:path";
import { tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { inheritedNamesIn, inheritNames, namesToInherit, serverNameIn, settleInheritance } from "./server-name.ts";

async function folders(): Promise<readonly [string, string, string]> {
  const dir = await tempDir("names");
  onTestFinished(dir.remove);
  return [join(dir.path, "a"), join(dir.path, "b"), join(dir.path, "c")];
}

it("stays with its folder, and those restored from one backup have names of their own", async () => {
  const [a, b, c] = await folders();
  expect(await namesToInherit(a)).toEqual([]);
  const name = await serverNameIn(a);
  for (const restored of [b, c]) await inheritNames(restored, await namesToInherit(a));
  const names = [name, await serverNameIn(b), await serverNameIn(c)];
  expect(new Set(names).size).toBe(3);
  expect([await serverNameIn(a), await serverNameIn(b), await serverNameIn(c)]).toEqual(names);
  expect([await inheritedNamesIn(a), await inheritedNamesIn(b), await inheritedNamesIn(c)]).toEqual([[], [name], [name]]);
});

it("is inherited over several restores until the others were told", async () => {
  const [a, b, c] = await folders();
  const first = await serverNameIn(a);
  await inheritNames(b, await namesToInherit(a));
  const second = await serverNameIn(b);
  await inheritNames(c, await namesToInherit(b));
  expect(await inheritedNamesIn(c)).toEqual([second, first]);
  await settleInheritance(b);
  await settleInheritance(b);
  expect(await namesToInherit(b)).toEqual([second]);
});
