import type { Cluster, Redis } from "ioredis";
import { onDemand } from "../on-demand.ts";

const driver = onDemand<typeof import("ioredis")>("ioredis");

/** Where Redis is. */
export interface RedisOptions {
  /** `redis://` or `rediss://`. Several: nodes of a cluster, or sentinels where `sentinel` is set. */
  readonly urls: readonly string[];
  /** The name sentinels know the master by. */
  readonly sentinel?: string;
  /** First part of every key and channel: installations that share a Redis have one each. */
  readonly prefix: string;
}

export type RedisClient = Redis | Cluster;

/** How long Redis may take for anything until it counts as away. */
const REDIS_TIMEOUT_MS = 500;

/** One that hangs is passed over for the next. */
const ASKING_SENTINELS = { sentinelCommandTimeout: 2 * REDIS_TIMEOUT_MS } as const;

const RECONNECT_MS = { first: 50, max: 1_000 };

/**
 * A connection that fails at once instead of keeping what cannot be sent: by itself the library would keep every command
 * for as long as Redis is away. It connects again for ever.
 */
export function redisClient({ urls, sentinel }: RedisOptions): RedisClient {
  const { Cluster, Redis } = driver();
  const again = (times: number): number => Math.min(RECONNECT_MS.first * 2 ** Math.min(times, 10), RECONNECT_MS.max);
  const common = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: REDIS_TIMEOUT_MS,
    // A connection that does not answer is given up, and with it the commands it still holds.
    socketTimeout: 2 * REDIS_TIMEOUT_MS,
    connectTimeout: 2 * REDIS_TIMEOUT_MS,
    autoResubscribe: false,
    retryStrategy: again,
  };
  const [first = "redis://127.0.0.1:6379", ...more] = urls;
  if (sentinel !== undefined) {
    const sentinels = urls.map((url) => addressOf(new URL(url), 26_379));
    return new Redis({
      ...common,
      ...loginOf(new URL(first)),
      sentinels,
      name: sentinel,
      ...ASKING_SENTINELS,
      sentinelRetryStrategy: again,
    });
  }
  if (more.length === 0) return new Redis(first, common);
  const { retryStrategy: clusterRetryStrategy, ...redisOptions } = common;
  return new Cluster(
    urls.map((url) => addressOf(new URL(url), 6_379)),
    {
      clusterRetryStrategy,
      enableOfflineQueue: false,
      slotsRefreshTimeout: 2 * REDIS_TIMEOUT_MS,
      redisOptions: { ...redisOptions, ...loginOf(new URL(first)) },
    },
  );
}

function addressOf({ hostname, port }: URL, usual: number): { host: string; port: number } {
  return { host: hostname, port: port === "" ? usual : Number(port) };
}

/** User, password and TLS are the same for all of them. */
function loginOf({ username, password, protocol }: URL): { username?: string; password?: string; tls?: object } {
  return {
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" ? { tls: {} } : {}),
  };
}
