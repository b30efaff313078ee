/* Batches of exposures, made ahead, and the door they are brought to. */
import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { EventBatch } from "@belay/protocol";

/** What the exposures say; all units meet the arms in turn. */
export interface Subject {
  readonly flag: string;
  readonly experiment: string;
  readonly variants: readonly [string, string];
  readonly epoch: number;
}

export const PLAIN_SUBJECT: Subject = {
  flag: "checkout-v2",
  experiment: "checkout",
  variants: ["control", "treatment"],
  epoch: 7,
};

export interface Making {
  readonly subject: Subject;
  readonly instance: string;
  /** Events a batch. */
  readonly size: number;
  readonly batches: number;
  readonly isGzip: boolean;
  /** Also a metric event of every second unit, in the same batch. */
  readonly hasMetrics?: boolean;
}

/** Bodies of one instance, in the order of their sequence numbers. */
export function makeBodies({ batches, isGzip, ...making }: Making): Buffer[] {
  return Array.from({ length: batches }, (_, index) => {
    const text = JSON.stringify(batchOf(making, index));
    return isGzip ? gzipSync(text) : Buffer.from(text);
  });
}

function batchOf({ subject, instance, size, hasMetrics = false }: Omit<Making, "batches" | "isGzip">, index: number): EventBatch {
  const now = Date.now();
  const from = index * (hasMetrics ? 2 * size : size);
  const { flag, experiment, variants, epoch } = subject;
  const unitOf = (nth: number): string => `${instance}-user-${index * size + nth}`;
  const nths = Array.from({ length: size }, (_, nth) => nth);
  return {
    batchId: `${instance}-${index}`,
    sentAtMs: now,
    sdk: "benchmark/0.1.0",
    instance,
    exposures: nths.map((nth) => ({
      seq: from + nth + 1,
      timeMs: now,
      flag,
      variant: variants[nth % 2 === 0 ? 0 : 1],
      rule: "rollout",
      experiment,
      epoch,
      revision: epoch,
      unit: unitOf(nth),
      attributes: { country: "DE", plan: "pro" },
    })),
    ...(hasMetrics
      ? {
          metrics: nths.map((nth) => ({
            seq: from + size + nth + 1,
            timeMs: now + 1,
            name: "purchase",
            unit: unitOf(nth),
            value: nth,
          })),
        }
      : {}),
  };
}

/** Brings bodies to one server, over at most so many connections. */
export class Sender {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;

  constructor({ url, sdkKey, connections, isGzip }: SenderOptions) {
    this.#url = `${url}/sdk/v1/events`;
    this.#headers = {
      authorization: `Bearer ${sdkKey}`,
      "content-type": "application/json",
      ...(isGzip ? { "content-encoding": "gzip" } : {}),
    };
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves with the number of events acknowledged. */
  send(body: Buffer): Promise<number> {
    const headers = { ...this.#headers, "content-length": body.length };
    return new Promise((resolve, reject) => {
      const sent = request(this.#url, { method: "POST", agent: this.#agent, headers }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("end", () => {
          if (answer.statusCode === 202) resolve((JSON.parse(text) as { accepted: number }).accepted);
          else reject(new Error(`answered ${answer.statusCode}: ${text}`));
        });
      });
      sent.on("error", reject).end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

interface SenderOptions {
  readonly url: string;
  readonly sdkKey: string;
  readonly connections: number;
  readonly isGzip: boolean;
}
