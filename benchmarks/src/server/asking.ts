import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly etag: string;
}

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => string;
}

/** A server under load, in a process of its own. */
export interface Asked {
  readonly url: string;
  readonly pid: number;
}

/** What a number of requests cost a server. */
export interface Cost {
  /** Microseconds of the server's processor time a request, all its threads. */
  readonly us: number;
  readonly perSecond: number;
}

export const CONNECTIONS = 8;

/** Linux counts processor time in hundredths of a second. */
const TICK_US = 10_000;

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** Lets go of the connections, so that this process can end. */
export function stopAsking(): void {
  agent.destroy();
}

/** Asks once; the body is read and dropped. */
export function ask(url: string, { method = "GET", path, headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, etag: answer.headers.etag ?? "" }));
    });
    sent.on("error", reject).end(body?.());
  });
}

/** So many requests over eight connections, after a third as many that are not counted. @throws Error at another status */
export async function costOf(
  { url, pid }: Asked,
  what: Ask,
  { count, status }: { count: number; status: number },
): Promise<Cost> {
  await load(url, what, Math.ceil(count / 3), status);
  const before = ticksOf(pid);
  const since = performance.now();
  await load(url, what, count, status);
  const seconds = (performance.now() - since) / 1_000;
  return { us: ((ticksOf(pid) - before) * TICK_US) / count, perSecond: count / seconds };
}

async function load(url: string, what: Ask, count: number, status: number): Promise<void> {
  let left = count;
  const connection = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      const answer = await ask(url, what);
      if (answer.status !== status) throw new Error(`${what.path} answered ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** Resident memory of a process. */
export function residentKb(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
