import { isIP } from "node:net";
import { readSecret } from "./access/secrets.ts";
import { type OidcSettings, readOidc } from "./oidc/settings.ts";
import type { RedisOptions } from "./store/bus/index.ts";
import type { ClickHouseOptions } from "./store/events/index.ts";

/** What the environment sets; every name begins with `BELAY_`. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDirectory: string;
  readonly adminToken?: string;
  readonly logLevel: string;
  /** How people reach the server, where a proxy stands before it. */
  readonly publicUrl?: string;
  /** Absent: people sign in with tokens only. */
  readonly oidc?: OidcSettings;
  /** PostgreSQL that keeps changes instead of the data folder, for several servers. */
  readonly databaseUrl?: string;
  /** What several servers tell each other by. */
  readonly redis?: RedisOptions;
  /** The server this one is a relay of. */
  readonly upstream?: UpstreamSettings;
  /** Where events are kept instead of the embedded database. */
  readonly clickHouse?: ClickHouseOptions;
  /** Whether callers on the same machine read `/metrics` without a token. */
  readonly areMetersOpenHere: boolean;
  /** Addresses or CIDR blocks of private networks that webhooks may call. */
  readonly webhookAllow: readonly string[];
  /** How often somebody may ask; the defaults stand where `access/rate-limits.ts` and `ofrep/routes.ts` keep them. */
  readonly rates: RateConfig;
}

export interface RateConfig {
  /** Requests a minute of one access token. */
  readonly requestsPerMinute?: number;
  /** Wrong tokens and keys a minute from one address. */
  readonly wrongPerMinute?: number;
  /** Remote evaluations a second of one SDK key. */
  readonly evaluationsPerSecond?: number;
}

/** Whom a relay follows. */
export interface UpstreamSettings {
  readonly url: string;
  /** Keys of kind `relay`, one an environment. */
  readonly keys: readonly string[];
  /** What it is called in lists of instances. */
  readonly name: string;
}

const LOG_LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

const ADMIN_TOKEN_LENGTH_MIN = 16;

/** @throws Error that names the variable and says what it may hold. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  // Set to nothing is not set: compose files and shells often say it so.
  const read = (name: string): string | undefined => environment[name] || undefined;
  const adminToken = read("BELAY_ADMIN_TOKEN");
  if (adminToken !== undefined && /\s/.test(adminToken)) throw new Error("BELAY_ADMIN_TOKEN must not hold spaces");
  if (adminToken !== undefined && adminToken.length < ADMIN_TOKEN_LENGTH_MIN) {
    throw new Error(`BELAY_ADMIN_TOKEN must have at least ${ADMIN_TOKEN_LENGTH_MIN} characters`);
  }
  const clickHouse = readClickHouse(read("BELAY_CLICKHOUSE_URL"), read("BELAY_CLICKHOUSE_CLUSTER"));
  const redis = readRedis(read("BELAY_REDIS_URL"), read("BELAY_REDIS_SENTINEL"), read("BELAY_REDIS_PREFIX"));
  const databaseUrl = readDatabase(read("BELAY_DATABASE_URL"));
  const publicUrl = readPublicUrl(read("BELAY_PUBLIC_URL"));
  const oidc = readOidc(read, publicUrl);
  const upstream = readUpstream(read);
  return {
    host: read("BELAY_HOST") ?? "127.0.0.1",
    port: readPort(read("BELAY_PORT")),
    dataDirectory: read("BELAY_DATA") ?? "./belay-data",
    logLevel: readLogLevel(read("BELAY_LOG")),
    areMetersOpenHere: readMeters(read("BELAY_METRICS")),
    webhookAllow: readAddresses(read("BELAY_WEBHOOK_ALLOW")),
    rates: {
      ...readRate("requestsPerMinute", "BELAY_REQUESTS_PER_MINUTE", read),
      ...readRate("wrongPerMinute", "BELAY_WRONG_SECRETS_PER_MINUTE", read),
      ...readRate("evaluationsPerSecond", "BELAY_EVALUATIONS_PER_SECOND", read),
    },
    ...(adminToken === undefined ? {} : { adminToken }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(oidc === undefined ? {} : { oidc }),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(redis === undefined ? {} : { redis }),
    ...(clickHouse === undefined ? {} : { clickHouse }),
    ...(upstream === undefined ? {} : { upstream }),
  };
}

/** Nobody means more: it is what a counter of a shared store holds. */
const RATE_MAX = 1_000_000_000;

function readRate(
  rate: keyof RateConfig,
  name: string,
  read: (name: string) => string | undefined,
): Partial<Record<keyof RateConfig, number>> {
  const text = read(name);
  if (text === undefined) return {};
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= RATE_MAX)) throw new Error(`${name} must be a whole number from 1 to ${RATE_MAX}, not "${text}"`);
  return { [rate]: value };
}

function readPort(text = "4400"): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new Error(`BELAY_PORT must be a number from 0 to 65535, not "${text}"`);
  return port;
}

function readLogLevel(text = "warn"): string {
  if (!LOG_LEVELS.includes(text)) throw new Error(`BELAY_LOG must be one of ${LOG_LEVELS.join(", ")}, not "${text}"`);
  return text;
}

function readMeters(text = "token"): boolean {
  if (text !== "token" && text !== "loopback") throw new Error(`BELAY_METRICS must be token or loopback, not "${text}"`);
  return text === "loopback";
}

function readClickHouse(addresses: string | undefined, cluster: string | undefined): ClickHouseOptions | undefined {
  if (addresses === undefined) {
    if (cluster !== undefined) throw new Error("BELAY_CLICKHOUSE_CLUSTER needs BELAY_CLICKHOUSE_URL");
    return undefined;
  }
  const urls = addresses.split(",").map((address) => address.trim());
  // An address may hold a password: it is not repeated.
  if (!urls.every(isHttpUrl)) {
    throw new Error("BELAY_CLICKHOUSE_URL must be http://user:password@host:8123/database, or several with commas between");
  }
  return cluster === undefined ? { urls } : { urls, cluster };
}

function readRedis(addresses: string | undefined, sentinel: string | undefined, prefix = "belay"): RedisOptions | undefined {
  if (addresses === undefined) {
    if (sentinel !== undefined) throw new Error("BELAY_REDIS_SENTINEL needs BELAY_REDIS_URL");
    return undefined;
  }
  const urls = addresses.split(",").map((address) => address.trim());
  // An address may hold a password: it is not repeated.
  if (!urls.every((url) => URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol) && new URL(url).hostname !== "")) {
    throw new Error("BELAY_REDIS_URL must be redis://user:password@host:6379, or several with commas between");
  }
  if (!/^[\w.:-]{1,64}$/.test(prefix))
    throw new Error(`BELAY_REDIS_PREFIX may hold letters, digits and . : _ -, not "${prefix}"`);
  return { urls, prefix, ...(sentinel === undefined ? {} : { sentinel }) };
}

function readDatabase(url: string | undefined): string | undefined {
  if (url === undefined || (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol))) return url;
  // An address may hold a password: it is not repeated.
  throw new Error("BELAY_DATABASE_URL must be postgres://user:password@host:5432/database");
}

/** What keeps or decides something: a relay does neither. */
const NOT_OF_RELAYS = ["BELAY_DATABASE_URL", "BELAY_REDIS_URL", "BELAY_CLICKHOUSE_URL", "BELAY_OIDC_ISSUER"] as const;

function readUpstream(read: (name: string) => string | undefined): UpstreamSettings | undefined {
  const url = read("BELAY_UPSTREAM");
  const keys = read("BELAY_UPSTREAM_KEYS");
  const name = read("BELAY_RELAY_NAME");
  if (url === undefined) {
    if (keys !== undefined) throw new Error("BELAY_UPSTREAM_KEYS needs BELAY_UPSTREAM");
    if (name !== undefined) throw new Error("BELAY_RELAY_NAME needs BELAY_UPSTREAM");
    return undefined;
  }
  if (!isHttpUrl(url) || new URL(url).username !== "" || new URL(url).password !== "") {
    throw new Error("BELAY_UPSTREAM must be an address without a password, such as https://belay.example");
  }
  const all = [...new Set((keys ?? "").split(",").map((key) => key.trim()))];
  // A key is a secret: it is not repeated.
  if (!all.every((key) => readSecret(key)?.prefix === "relay")) {
    throw new Error(
      "BELAY_UPSTREAM_KEYS must hold SDK keys of kind relay (belay_relay_...), one an environment, with commas between",
    );
  }
  const other = NOT_OF_RELAYS.find((setting) => read(setting) !== undefined);
  if (other !== undefined) throw new Error(`BELAY_UPSTREAM makes this a relay, which takes no ${other}`);
  if (name !== undefined && !/^[A-Za-z0-9._-]{1,40}$/.test(name)) {
    throw new Error(`BELAY_RELAY_NAME may hold 40 letters, digits and . _ -, not "${name}"`);
  }
  return { url, keys: all, name: name ?? "relay" };
}

function readPublicUrl(url: string | undefined): string | undefined {
  if (url === undefined || (isHttpUrl(url) && new URL(url).href === `${new URL(url).origin}/`)) return url;
  throw new Error("BELAY_PUBLIC_URL must be an address without a path, such as https://belay.example");
}

function readAddresses(text = ""): string[] {
  const addresses = text
    .split(",")
    .map((address) => address.trim())
    .filter((address) => address !== "");
  const wrong = addresses.find((address) => !isAddressOrBlock(address));
  if (wrong === undefined) return addresses;
  throw new Error(
    `BELAY_WEBHOOK_ALLOW must hold addresses or blocks such as 10.0.0.5, 10.1.0.0/16, with commas between, not "${wrong}"`,
  );
}

function isAddressOrBlock(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  const isBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  return family !== 0 && isBits && more.length === 0;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
