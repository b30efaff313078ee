import { getRandomValues } from "node:crypto";
import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import { type AppDependencies, buildApp } from "./app.ts";
import { COMPILE_OPTIONS } from "./compile-options.ts";
import { ControlPlane } from "./control/control-plane.ts";
import { type FirstSecrets, prepareFirstStart } from "./first-start.ts";
import { checkedAnswers } from "./http/answers.fixture.ts";
import { type ChangeLog, openChangeLog } from "./store/changes/index.ts";

/** A whole server on a folder of its own, asked through its doors. */
export interface TestServer {
  readonly app: FastifyInstance;
  readonly control: ControlPlane;
  readonly log: ChangeLog;
  readonly adminToken: string;
  /** Server keys by environment. */
  readonly sdkKeys: Readonly<Record<string, string>>;
  /** The clock of the server; tests turn it. */
  readonly clock: { now: number };
  /** Asks as the admin, or as whoever `as` is; `body` is sent as JSON. */
  readonly ask: (method: string, path: string, body?: unknown, more?: Ask) => Promise<Answer>;
  readonly close: () => Promise<void>;
}

export interface Ask {
  readonly as?: string;
  /** Sent instead of a token. */
  readonly cookie?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  readonly body: any;
  readonly headers: LightMyRequestResponse["headers"];
  readonly text: string;
}

const ADMIN_TOKEN = "fixture-admin-token-0123456789";

/** Path below the project `default`. */
export const P = "/api/v1/projects/default";
/** Path below its environment `production`. */
export const E: string = `${P}/environments/production`;

export async function testServer(
  options: Partial<AppDependencies> & { readonly dir?: TempDir; readonly wrapLog?: (log: ChangeLog) => ChangeLog } = {},
): Promise<TestServer> {
  const dir = options.dir ?? (await tempDir("server"));
  const clock = { now: Date.parse("2026-11-22T12:00:00Z") };
  const now = (): number => clock.now;
  const opened = await openChangeLog(join(dir.path, "changes.db"));
  const log = options.wrapLog?.(opened) ?? opened;
  const control = await ControlPlane.open({ log, now, compile: COMPILE_OPTIONS });
  const fillRandom = (bytes: Uint8Array<ArrayBuffer>): Uint8Array => getRandomValues(bytes);
  const first = await prepareFirstStart(control, { adminToken: ADMIN_TOKEN, fillRandom });
  const app = await buildApp({
    serializer: checkedAnswers,
    log,
    control,
    compile: COMPILE_OPTIONS,
    now,
    random: Math.random,
    fillRandom,
    ...options,
  });
  return {
    app,
    control,
    log,
    clock,
    adminToken: ADMIN_TOKEN,
    sdkKeys: keysOf(first),
    ask: (method, path, body, more) => ask(app, method, path, body, more),
    close: async () => {
      await app.close();
      await log.close();
      if (options.dir === undefined) await dir.remove();
    },
  };
}

async function ask(app: FastifyInstance, method: string, path: string, body: unknown, more: Ask = {}): Promise<Answer> {
  const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const answer = await app.inject({
    method: method as NonNullable<InjectOptions["method"]>,
    url: path,
    headers: {
      ...(more.cookie === undefined ? { authorization: `Bearer ${more.as ?? ADMIN_TOKEN}` } : { cookie: more.cookie }),
      ...(payload === undefined ? {} : { "content-type": "application/json" }),
      ...more.headers,
    },
    ...(payload === undefined ? {} : { payload }),
  });
  const isJson = String(answer.headers["content-type"]).includes("json");
  const isPlain = answer.headers["content-encoding"] === undefined;
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text: answer.body,
    body: isJson && isPlain && answer.body !== "" ? answer.json() : undefined,
  };
}

function keysOf(first: FirstSecrets | undefined): Record<string, string> {
  return Object.fromEntries((first?.sdkKeys ?? []).map(({ environment, secret }) => [environment, secret]));
}
