import { seeded } from "@belay/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Answer, P, type TestServer, testServer } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { ControlPlane } from "../control/control-plane.ts";
import { amend, EMPTY_WORKSPACE } from "./amend.ts";
import type { Workspace } from "./workspace.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

/** A workspace as plain data, snapshots whole, in an order that does not tell how it came about. */
function plain({ projects, tokens, sessions, sdkKeys, revision }: Workspace): unknown {
  const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    revision,
    tokens: sorted(tokens),
    sessions: sorted(sessions),
    sdkKeys: sorted(sdkKeys),
    projects: sorted(projects).map(([, { environments, flags, segments, ...project }]) => ({
      ...project,
      flags: sorted(flags),
      segments: sorted(segments),
      environments: sorted(environments).map(([, { targetings, snapshot, naming, ...environment }]) => ({
        ...environment,
        targetings: sorted(targetings),
        snapshot: { ...snapshot.whole },
        naming: sorted(naming).map(([name, keys]) => [name, [...keys].sort()]),
      })),
    })),
  };
}

const SEED = 7;

it(`a restart finds the state that was live, after 400 random commands (seed ${SEED})`, async () => {
  const dice = seeded(SEED);
  const key = (): string => dice.pick(["a", "b", "c", "__proto__", "constructor"]);
  const place = (): string => `${P}/environments/${dice.pick(["development", "production"])}/flags/${key()}`;
  const rules = (): object[] => [
    {
      id: "r",
      when: dice.pick([{ segment: key() }, { flag: key(), variants: ["on"] }, { all: [] }]),
      serve: { weights: { on: 50, off: 50 } },
    },
  ];
  const commands: (() => Promise<Answer>)[] = [
    () => server.ask("POST", `${P}/flags`, { key: key(), clientSide: dice.fraction() < 0.3 }),
    () => server.ask("PATCH", `${P}/flags/${key()}`, { description: String(dice.below(100)), clientSide: dice.fraction() < 0.3 }),
    () => server.ask("POST", `${P}/flags/${key()}/${dice.pick(["archive", "restore"])}`, {}),
    () => server.ask("PUT", `${place()}/rollout`, { percentage: dice.below(101) }),
    () => server.ask("PUT", `${place()}/enabled`, { enabled: dice.fraction() < 0.5 }),
    () => server.ask("PUT", place(), { enabled: true, rules: rules() }),
    () => server.ask("POST", `${P}/segments`, { key: key(), when: { all: [] } }),
    () => server.ask("PUT", `${P}/segments/${key()}`, { when: { attribute: "a", op: "in", value: dice.below(10) } }),
    () => server.ask("DELETE", `${P}/segments/${key()}`),
    () => server.ask("POST", `${P}/keys`, { environment: "staging", kind: "client" }),
    () => server.ask("POST", `${P}/environments`, { key: `env-${dice.below(5)}` }),
  ];
  const statuses: number[] = [];
  for (let command = 0; command < 400; command += 1) statuses.push((await dice.pick(commands)()).status);
  expect(statuses.filter((status) => status < 300).length).toBeGreaterThan(150);
  expect(statuses.filter((status) => status >= 500)).toEqual([]);

  const { log, control } = server;
  const rebooted = await ControlPlane.open({ log, now: Date.now, compile: COMPILE_OPTIONS });
  expect(plain(rebooted.workspace)).toEqual(plain(control.workspace));

  // What the log tells a follower adds up to the same.
  let followed = EMPTY_WORKSPACE;
  for (const { raised, documents } of await log.entriesAfter(0, 10_000))
    followed = amend(followed, { streams: raised, documents });
  expect(plain(followed)).toEqual(plain(control.workspace));

  // And so do the documents as of the last change, for the project.
  const { position, streams } = await log.load();
  const documents = await log.documentsAt("default", position);
  const travelled = amend(EMPTY_WORKSPACE, { streams, documents });
  const projects = (workspace: Workspace): unknown =>
    (plain({ ...workspace, tokens: new Map() }) as { projects: unknown }).projects;
  expect(projects(travelled)).toEqual(projects(control.workspace));
});
