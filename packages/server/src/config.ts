/** What the environment sets; every name begins with `BELAY_`. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDirectory: string;
  readonly adminToken?: string;
  readonly logLevel: string;
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
  return {
    host: read("BELAY_HOST") ?? "127.0.0.1",
    port: readPort(read("BELAY_PORT")),
    dataDirectory: read("BELAY_DATA") ?? "./belay-data",
    logLevel: readLogLevel(read("BELAY_LOG")),
    ...(adminToken === undefined ? {} : { adminToken }),
  };
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
