import type { FastifyRequest } from "fastify";
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterStoreAbstract,
} from "rate-limiter-flexible";
import { ProblemError } from "../http/problem.ts";
import { type RedisOptions, redisClient } from "../store/bus/index.ts";

export interface RateLimitOptions {
  /** Where servers count together; absent: each counts for itself. */
  readonly redis?: RedisOptions;
  /** Told once when Redis breaks, until it answers again. */
  readonly onFault?: (error: unknown) => void;
  /** Requests a minute of one access token. Default 120,000: it stops what runs away and nothing else. */
  readonly requestsPerMinute?: number;
  /** Wrong tokens and keys a minute from one address. Default 100. */
  readonly wrongPerMinute?: number;
}

/**
 * How often somebody may ask. Who shows a right SDK key is not counted at all: the data plane pays nothing. Counts are kept
 * together in Redis; while that does not answer each server counts in its own memory.
 */
export interface RateLimits {
  /** Counts a request of an access token. @throws ProblemError `too_many_requests` over the limit */
  readonly spend: (tokenId: string) => Promise<void>;
  /** Counts a wrong secret. @throws ProblemError `too_many_requests` over the limit */
  readonly countWrong: (request: Pick<FastifyRequest, "ip">) => Promise<void>;
  readonly close: () => void;
}

const WINDOW_S = 60;

export function createRateLimits(options: RateLimitOptions = {}): RateLimits {
  const { requestsPerMinute = 120_000, wrongPerMinute = 100, redis, onFault = () => undefined } = options;
  const client = redis === undefined ? undefined : redisClient(redis);
  let isToldOf = false;
  client?.on("ready", () => {
    isToldOf = false;
  });
  client?.on("error", (error: unknown) => {
    if (!isToldOf) onFault(error);
    isToldOf = true;
  });
  const limiterOf = (name: string, points: number): RateLimiterAbstract | RateLimiterStoreAbstract => {
    const own = new RateLimiterMemory({ points, duration: WINDOW_S });
    if (client === undefined || redis === undefined) return own;
    return new RateLimiterRedis({
      storeClient: client,
      keyPrefix: `${redis.prefix}:rate:${name}`,
      points,
      duration: WINDOW_S,
      // Over the limit nobody asks Redis again until the minute is over: a flood stays here.
      inMemoryBlockOnConsumed: points,
      rejectIfRedisNotReady: true,
      insuranceLimiter: own,
    });
  };
  const requests = limiterOf("token", requestsPerMinute);
  const wrong = limiterOf("wrong", wrongPerMinute);
  return {
    spend: (tokenId) => consume(requests, tokenId, `${requestsPerMinute} requests a minute of one token`),
    countWrong: ({ ip }) => consume(wrong, networkOf(ip), `${wrongPerMinute} wrong tokens a minute from one address`),
    close: () => client?.disconnect(false),
  };
}

/**
 * What one sender can hold: an IPv4 address, or the first half of an IPv6 address, of which anybody has 2^64.
 */
export function networkOf(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  if (mapped !== undefined || !ip.includes(":")) return mapped ?? ip;
  const [head = "", tail] = ip.split("%")[0]?.split("::") ?? [];
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => "0");
  const groups = tail === undefined ? first : [...first, ...zeros, ...last];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

async function consume(limiter: Pick<RateLimiterAbstract, "consume">, key: string, limit: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refused) {
    // Anything else is a store that failed beyond its substitute: nobody is kept out for that.
    if (!(refused instanceof RateLimiterRes)) return;
    throw new ProblemError("too_many_requests", { limit, retryAfterS: Math.max(1, Math.ceil(refused.msBeforeNext / 1_000)) });
  }
}
