import { type Answer, type Ask, E, P, type TestServer, testServer } from "../app.fixture.ts";
import type { AppDependencies } from "../app.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { History } from "../history/history.ts";
import { Clerk } from "./clerk.ts";

/** A whole server whose requests are looked after when a test says so. */
export interface RequestServer extends TestServer {
  readonly clerk: Clerk;
  readonly faults: unknown[];
  /** Tokens of people, by name. */
  readonly people: Readonly<Record<"ada" | "ben" | "cem" | "ops", string>>;
  /** Asks for something in `production` as Ada, unless `more` says as whom. */
  readonly request: (draft: object, more?: Ask) => Promise<Answer>;
  /** Approves a request as it is now. */
  readonly approve: (id: string, as: string) => Promise<Answer>;
  readonly read: (id: string) => Promise<Answer["body"]>;
  /** Percentage of a flag's rollout in `production`. */
  readonly percentage: (flag: string) => Promise<number>;
  /** Turns the clock to a moment and looks after requests. */
  readonly at: (moment: string) => Promise<void>;
}

export async function requestServer(
  options: Partial<AppDependencies> & Parameters<typeof testServer>[0] = {},
): Promise<RequestServer> {
  const server = await testServer(options);
  const { ask, control, log, clock } = server;
  const faults: unknown[] = [];
  const clerk = new Clerk({
    control,
    log,
    history: new History(log),
    compile: COMPILE_OPTIONS,
    now: () => clock.now,
    holder: "test",
    onFault: (error) => void faults.push(error),
    everyMs: 2 ** 30,
  });
  const token = async (name: string, role: string): Promise<string> =>
    (await ask("POST", "/api/v1/tokens", { name, role })).body.secret;
  const people = {
    ada: await token("ada", "admin"),
    ben: await token("ben", "editor"),
    cem: await token("cem", "editor"),
    ops: await token("ops", "operator"),
  };
  const read = async (id: string): Promise<Answer["body"]> => (await ask("GET", `${E}/requests/${id}`)).body;
  return {
    ...server,
    clerk,
    faults,
    people,
    request: (draft, more = {}) => ask("POST", `${E}/requests`, draft, { as: people.ada, ...more }),
    approve: async (id, as) => ask("POST", `${E}/requests/${id}/approve`, { hash: (await read(id)).hash }, { as }),
    read,
    percentage: async (flag) => (await ask("GET", `${E}/flags/${flag}/rollout`)).body.percentage,
    at: async (moment) => {
      clock.now = Date.parse(moment);
      await clerk.turn();
    },
    close: async () => {
      await clerk.close();
      await server.close();
    },
  };
}

/** `production` asks for so many approvals from now on. */
export const approvals = (server: TestServer, required: number): Promise<Answer> =>
  server.ask("PUT", `${E}/approvals`, { required });

export const flagIn = (server: TestServer, key: string, more: object = {}): Promise<Answer> =>
  server.ask("POST", `${P}/flags`, { key, ...more });
