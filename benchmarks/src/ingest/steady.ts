/* Acknowledgements while events arrive at a steady rate, alone and while an experiment is added up over and over. */
import { startServer } from "@belay/testkit";
import { connectControl } from "../control.ts";
import { startExperiment } from "./experiment.ts";
import { type Offered, offer } from "./open-loop.ts";
import { readOn } from "./readers.ts";
import { makeBodies, Sender, type Subject } from "./sender.ts";

const SECONDS = 6;
const WARMUP_SECONDS = 1;
const SIZE = 100;
/** Instances take turns, as many applications would. */
const INSTANCES = 50;
/** More than are ever in flight: none waits for a connection. */
const CONNECTIONS = 400;
/** What is there when the first batch is due. */
const UNITS_BEFORE = 300_000;

export interface SteadyLoad {
  /** Exposures a second. */
  readonly rate: number;
  readonly isAddedUp: boolean;
}

export async function takeSteadily({ rate, isAddedUp }: SteadyLoad): Promise<Offered & { readonly addedUp: number }> {
  const server = await startServer();
  const control = await connectControl(server);
  const subject = await startExperiment(control);
  const sender = new Sender({ url: server.url, sdkKey: control.sdkKey, connections: CONNECTIONS, isGzip: false });
  await bringBefore(sender, subject);
  // The first answer adds up all there is; those after it what arrived since.
  await readOnce(`${server.url}/api/v1/projects/default/${subject.results}`, server.adminToken);
  const perSecond = rate / SIZE;
  const bodies = takingTurns(subject, perSecond * (SECONDS + WARMUP_SECONDS));
  const reading = new AbortController();
  const reader = isAddedUp ? readOn(server, [subject.results], reading.signal) : Promise.resolve(0);
  const offered = await offer((body) => sender.send(body), { bodies, perSecond, warmup: perSecond * WARMUP_SECONDS });
  reading.abort();
  const addedUp = await reader;
  sender.close();
  await server.stop();
  return { ...offered, addedUp };
}

async function bringBefore(sender: Sender, subject: Subject): Promise<void> {
  const size = 5_000;
  const making = { subject, size, isGzip: false, hasMetrics: true, instance: "before", batches: UNITS_BEFORE / size };
  for (const body of makeBodies(making)) await sender.send(body);
}

function takingTurns(subject: Subject, count: number): Buffer[] {
  const batches = Math.ceil(count / INSTANCES);
  const queues = Array.from({ length: INSTANCES }, (_, at) =>
    makeBodies({ subject, instance: `steady-${at}`, size: SIZE, batches, isGzip: false }),
  );
  const inTurn = Array.from({ length: batches }, (_, round) => queues.flatMap((queue) => queue.slice(round, round + 1)));
  return inTurn.flat().slice(0, count);
}

async function readOnce(url: string, token: string): Promise<void> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}
