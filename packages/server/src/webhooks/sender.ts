import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from "request-filtering-agent";
import type { Met } from "./retries.ts";

export interface SenderOptions {
  /** Addresses or CIDR blocks inside private networks that may be called all the same. */
  readonly allow?: readonly string[];
  /** How long a receiver may take for all of it. Default 10 s. */
  readonly timeoutMs?: number;
  /** Resolves names; the system's own by default. */
  readonly lookup?: LookupFunction;
}

/** What became of one try. */
export interface Sent extends Met {
  /** Why it is no delivery. */
  readonly fault?: string;
}

export type Send = (url: string, headers: Readonly<Record<string, string>>, body: string) => Promise<Sent>;

/** Bytes of an answer that are read; the rest is nobody's business. */
const ANSWER_BYTES = 512;

/**
 * Posts to addresses that people typed in. Only public addresses are called, and that is judged of the address a
 * connection goes to, after names are resolved: a name that points elsewhere a moment later gains nothing. Redirects are
 * not followed, for the same reason.
 */
export function sender({ allow = [], timeoutMs = 10_000, lookup }: SenderOptions = {}): Send {
  // No kept connections: each one is judged.
  const options = { allowIPAddressList: [...allow], keepAlive: false };
  const agents = { "http:": new RequestFilteringHttpAgent(options), "https:": new RequestFilteringHttpsAgent(options) };
  return (url, headers, body) =>
    new Promise((resolve) => {
      const target = new URL(url);
      const isSecure = target.protocol === "https:";
      const call = (isSecure ? httpsRequest : httpRequest)(target, {
        method: "POST",
        agent: agents[isSecure ? "https:" : "http:"],
        headers: {
          "content-type": "application/json",
          "user-agent": "belay",
          "content-length": Buffer.byteLength(body),
          ...headers,
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(lookup === undefined ? {} : { lookup }),
      });
      call.on("error", (error) => resolve(failed(error, timeoutMs)));
      call.on("response", (answer) => {
        const { statusCode = 0 } = answer;
        const retryAfterMs = readRetryAfter(answer.headers["retry-after"]);
        let said = "";
        answer.setEncoding("utf8").on("data", (text: string) => {
          said += text;
          if (said.length >= ANSWER_BYTES) answer.destroy();
        });
        // "close" comes after the end, a cut and our own destroy.
        answer
          .on("error", () => undefined)
          .on("close", () => {
            const sent = { status: statusCode, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
            resolve(statusCode >= 200 && statusCode < 300 ? sent : { ...sent, fault: refusalOf(statusCode, said) });
          });
      });
      call.end(body);
    });
}

function refusalOf(status: number, said: string): string {
  if (status >= 300 && status < 400) return `it answered ${status}: redirects are not followed`;
  const text = said.slice(0, 200).trim();
  return text === "" ? `it answered ${status}` : `it answered ${status}: ${text}`;
}

function failed(error: Error, timeoutMs: number): Sent {
  if (error.name === "AbortError" || error.name === "TimeoutError") return { fault: `no answer within ${timeoutMs / 1_000} s` };
  if (error.message.includes("is not allowed")) {
    return { fault: "its address is not public: add it to BELAY_WEBHOOK_ALLOW if it is yours", isFinal: true };
  }
  return { fault: (error as NodeJS.ErrnoException).code ?? error.message };
}

/** Seconds, or a date. */
function readRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : undefined;
}
