import type { ServerProcess } from "@belay/testkit";
import type { Control } from "../control.ts";
import { whole } from "../page.ts";
import { type Ask, type Asked, ask, type Cost, costOf, expectStatus, said } from "./asking.ts";
import type { Unleash } from "./unleash.ts";

/** Short rounds, many of them: what else the host does comes and goes, and hits all contenders of a round alike. */
const ROUNDS = 15;
const REQUESTS = 3_000;
/** Unleash answers so slowly that fewer must do. */
const REQUESTS_OF_UNLEASH = 60;

/** The same question to each server that is asked it. */
interface Question {
  readonly name: string;
  readonly goal: string;
  readonly asked: readonly (Contender | undefined)[];
}

interface Contender {
  readonly server: Asked;
  readonly what: Ask;
  readonly count: number;
  readonly status: number;
}

export interface Contenders {
  readonly belay: ServerProcess;
  readonly control: Control;
  readonly bare: Asked;
  readonly unleash: Unleash | undefined;
}

/** Microseconds of the servers' processor time a request, and requests a second: medians of interleaved rounds. */
export async function answerRows(contenders: Contenders, flags: number): Promise<string[][]> {
  const questions = await questionsFor(contenders, flags);
  const taken = questions.map(({ asked }) => asked.map((): Cost[] => []));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [q, { asked }] of questions.entries()) {
      for (const [c, contender] of asked.entries()) {
        if (contender !== undefined) taken[q]?.[c]?.push(await costOfAsking(contender));
      }
    }
  }
  return questions.map(({ name, goal }, q) => [name, goal, ...(taken[q] ?? []).map(said)]);
}

function costOfAsking({ server, what, count, status }: Contender): Promise<Cost> {
  return costOf(server.pid, () => expectStatus(server.url, what, status), count);
}

async function questionsFor({ belay, control, bare, unleash }: Contenders, flags: number): Promise<Question[]> {
  const path = "/sdk/v1/snapshot";
  const key = { authorization: `Bearer ${control.sdkKey}` };
  const { etag } = await ask(belay.url, { path, headers: key });
  const packed = { "accept-encoding": "gzip" };
  const of = (server: Asked, what: Ask, status = 200): Contender => ({ server, what, count: REQUESTS, status });
  const ofUnleash = (what: (unleash: Unleash) => Ask, status = 200): Contender | undefined =>
    unleash && { server: unleash, what: what(unleash), count: REQUESTS_OF_UNLEASH, status };
  const client = ({ tokens }: Unleash): Readonly<Record<string, string>> => ({ authorization: tokens.client });
  const features = "/api/client/features";
  const held = unleash && (await ask(unleash.url, { path: features, headers: client(unleash) })).etag;
  let users = 0;
  const context = (): string => {
    users += 1;
    return JSON.stringify({ context: { targetingKey: `user-${users}` } });
  };
  return [
    {
      name: `all ${whole(flags)} flags`,
      goal: "<= 150 us",
      asked: [
        of(belay, { path, headers: key }),
        of(bare, { path }),
        ofUnleash((server) => ({ path: features, headers: client(server) })),
      ],
    },
    {
      name: "the same, gzip",
      goal: "<= 60 us",
      asked: [
        of(belay, { path, headers: { ...key, ...packed } }),
        of(bare, { path, headers: packed }),
        ofUnleash((server) => ({ path: features, headers: { ...client(server), ...packed } })),
      ],
    },
    {
      name: "the same, unchanged: 304",
      goal: "<= 40 us",
      asked: [
        of(belay, { path, headers: { ...key, "if-none-match": etag } }, 304),
        of(bare, { path, headers: { "if-none-match": '"1"' } }, 304),
        ofUnleash((server) => ({ path: features, headers: { ...client(server), "if-none-match": held ?? "" } }), 304),
      ],
    },
    {
      name: `${whole(flags)} flags decided for one user (OFREP; Unleash's frontend API)`,
      goal: "<= 700 us",
      asked: [
        of(belay, {
          method: "POST",
          path: "/ofrep/v1/evaluate/flags",
          headers: { ...key, "content-type": "application/json" },
          body: context,
        }),
        undefined,
        ofUnleash((server) => ({ path: "/api/frontend?userId=user-1", headers: { authorization: server.tokens.page } })),
      ],
    },
  ];
}
