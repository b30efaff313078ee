import { readFileSync } from "node:fs";
import { Agent, request as requestOf } from "node:http";
import { whole } from "../page.ts";
import { processorUs } from "../processor-time.ts";
import { quantile } from "../rounds.ts";

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

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** Lets go of the connections, so that this process can end. */
export function stopAsking(): void {
  agent.destroy();
}

/** Asks once and expects a status; the body is read and dropped. @throws Error at another one */
export async function expectStatus(url: string, what: Ask, expected = 200): Promise<void> {
  const { status } = await ask(url, what);
  if (status !== expected) throw new Error(`${what.path} answered ${status}`);
}

/** Asks once; the body is read and dropped. */
export function ask(url: string, { method = "GET", path, headers = {}, body }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = requestOf(`${url}${path}`, { method, agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, etag: answer.headers.etag ?? "" }));
    });
    sent.on("error", reject).end(body?.());
  });
}

/** What asking so often over eight connections costs a process, after a third as many times that are not counted. */
export async function costOf(pid: number, request: () => Promise<void>, count: number): Promise<Cost> {
  await load(request, Math.ceil(count / 3));
  const before = processorUs(pid);
  const since = performance.now();
  await load(request, count);
  const seconds = (performance.now() - since) / 1_000;
  return { us: (processorUs(pid) - before) / count, perSecond: count / seconds };
}

/** Medians of rounds, as a cell of the page; empty where there were none. */
export function said(costs: readonly Cost[]): string {
  if (costs.length === 0) return "";
  const us = costs.map((cost) => cost.us);
  const perSecond = costs.map((cost) => cost.perSecond);
  return `${whole(quantile(us, 0.5))} us, ${whole(quantile(perSecond, 0.5))}/s`;
}

async function load(request: () => Promise<void>, count: number): Promise<void> {
  let left = count;
  const connection = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await request();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

/** Resident memory of a process. */
export function residentKb(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
