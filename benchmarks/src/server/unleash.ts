import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hasPostgres, POSTGRES_HINT, startPostgres } from "@belay/testkit";
import { type Child, startChild } from "./child.ts";

const FOLDER = fileURLToPath(new URL("../../rivals/", import.meta.url));
const AT_ONCE = 8;

/** An Unleash with flags of half a rollout each, on a PostgreSQL of its own. */
export interface Unleash extends Child {
  /** What a client and a page of it show. */
  readonly tokens: { readonly client: string; readonly page: string };
  /** Moves the rollout of a flag, as its admin page does. */
  readonly change: (flag: number, percentage: number) => Promise<void>;
}

/** @throws Error in words where it cannot be installed or has no PostgreSQL. */
export async function startUnleash(flags: number): Promise<Unleash> {
  if (!hasPostgres()) throw new Error(`no PostgreSQL: ${POSTGRES_HINT}`);
  const { status } = spawnSync(process.execPath, [`${FOLDER}install.mjs`, "servers"], { stdio: "inherit" });
  if (status !== 0) throw new Error("it could not be installed");
  const postgres = await startPostgres();
  const server = await startChild(`${FOLDER}servers/unleash.mjs`, { env: { DATABASE_URL: postgres.url } });
  const send = sender(server.url);
  const place = (flag: number): string => `/api/admin/projects/default/features/flag-${flag}`;
  const strategies: string[] = [];
  const make = async (flag: number): Promise<void> => {
    await send("POST", "/api/admin/projects/default/features", { name: `flag-${flag}`, type: "release" });
    strategies[flag] = (await send("POST", `${place(flag)}/environments/development/strategies`, strategy(flag, 50))).id ?? "";
    await send("POST", `${place(flag)}/environments/development/on`);
  };
  for (let at = 0; at < flags; at += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, flags - at) }, (_, n) => make(at + n)));
  }
  const token = async (type: string): Promise<string> =>
    (await send("POST", "/api/admin/api-tokens", { tokenName: type, type, environment: "development", projects: ["*"] }))
      .secret ?? "";
  return {
    ...server,
    tokens: { client: await token("client"), page: await token("frontend") },
    change: async (flag, percentage) => {
      const path = `${place(flag)}/environments/development/strategies/${strategies[flag]}`;
      await send("PUT", path, strategy(flag, percentage));
    },
    stop: async () => {
      await server.stop();
      await postgres.stop();
    },
  };
}

function strategy(flag: number, percentage: number): object {
  const parameters = { rollout: String(percentage), stickiness: "default", groupId: `flag-${flag}` };
  return { name: "flexibleRollout", parameters, constraints: [] };
}

interface Made {
  readonly id?: string;
  readonly secret?: string;
}

function sender(url: string): (method: string, path: string, body?: object) => Promise<Made> {
  return async (method, path, body) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Unleash: ${method} ${path} answered ${answer.status}: ${text.slice(0, 300)}`);
    return (text.startsWith("{") ? JSON.parse(text) : {}) as Made;
  };
}
