import { getRandomValues, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { Registry } from "prom-client";
import { createRateLimits } from "../access/rate-limits.ts";
import { hashSecret, readSecret } from "../access/secrets.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import type { Config, UpstreamSettings } from "../config.ts";
import { Intake } from "../exposures/intake.ts";
import { closing, endApp, listen, type RunningServer } from "../running-server.ts";
import type { TokenDocument } from "../state/workspace.ts";
import { takeDataFolder } from "../store/data-folder.ts";
import { readSummed, writeSummed } from "../store/summed-file.ts";
import { descriptorLimit, streamsWithin } from "../stream/descriptors.ts";
import { HUB_LIMITS } from "../stream/hub.ts";
import { Branches } from "./branches.ts";
import { meterRelay } from "./meters.ts";
import { buildRelayApp } from "./relay-app.ts";

/** Events of one environment are refused while this much waits to be handed on, as at a server. */
const SPOOL_BYTES_MAX = 2 ** 31;

/** Starts a relay: it keeps what it knows and what it carries in its data folder, and needs nothing else. @throws Error in words. */
export async function startRelay(config: Config, upstream: UpstreamSettings): Promise<RunningServer> {
  const { closers, close } = closing();
  let app: FastifyInstance | undefined;
  try {
    const folder = await takeDataFolder(config.dataDirectory);
    closers.push(folder.release);
    const relay = await nameOf(folder.path, upstream.name);
    const branches = await Branches.open({
      relay,
      upstreamUrl: upstream.url,
      keys: upstream.keys.map((key) => {
        const id = readSecret(key)?.id ?? "";
        return { id, key, directory: join(folder.path, "relay", id) };
      }),
      now: Date.now,
      random: Math.random,
      spoolBytesMax: SPOOL_BYTES_MAX,
      ...(config.adminToken === undefined ? {} : { token: readerOf(config.adminToken) }),
      onFault: (detail, place) => app?.log.warn({ ...place }, detail),
    });
    closers.push(() => branches.close());
    const { evaluationsPerSecond, ...perMinute } = config.rates;
    const rates = createRateLimits(perMinute);
    closers.push(() => rates.close());
    const intake = new Intake({ events: branches.events });
    const registry = new Registry();
    meterRelay(registry, { branches, rejected: () => intake.rejected });
    app = await buildRelayApp({
      branches,
      upstreamUrl: upstream.url,
      intake,
      compile: COMPILE_OPTIONS,
      now: Date.now,
      random: Math.random,
      fillRandom: (bytes) => getRandomValues(bytes),
      logger: { level: config.logLevel },
      unready: () => branches.unready,
      streams: { streamsMax: streamsWithin(descriptorLimit(), HUB_LIMITS.streamsMax) },
      limits: rates,
      ...(evaluationsPerSecond === undefined ? {} : { ofrep: { requestsPerSecond: evaluationsPerSecond } }),
      meters: { registry, isOpenHere: config.areMetersOpenHere },
    });
    closers.push(() => endApp(app));
    const url = await listen(app, config);
    const greeting = `Belay relays ${upstream.url} at ${url} as ${relay}  (data in ${folder.path}, API reference at ${url}/docs)`;
    return { url, greeting, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

/** The relay's name and a part that no other relay has, kept: it tells relays of one name apart, and a circle of them. */
async function nameOf(folder: string, name: string): Promise<string> {
  const file = join(folder, "relay.json");
  const kept = ((await readSummed(file)) as { readonly id?: string } | undefined)?.id;
  const id = kept ?? randomBytes(4).toString("hex");
  if (kept === undefined) await writeSummed(file, { id });
  return `${name}-${id}`;
}

/** Here the first token reads meters; there is nothing else it could do. */
function readerOf(secret: string): TokenDocument {
  return { name: "first", role: "viewer", hash: hashSecret(secret), createdAt: new Date(0).toISOString(), revoked: false };
}
