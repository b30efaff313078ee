import { getRandomValues, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { Registry } from "prom-client";
import { createRateLimits } from "./access/rate-limits.ts";
import { UseBook } from "./access/use-book.ts";
import { buildApp } from "./app.ts";
import { Backups } from "./backups/backup.ts";
import { backupDoors } from "./backups/routes.ts";
import { gatherLedgers, openBus, openDeliveries, openLog } from "./chosen-stores.ts";
import { COMPILE_OPTIONS } from "./compile-options.ts";
import type { Config } from "./config.ts";
import { ControlPlane } from "./control/control-plane.ts";
import { Follower } from "./control/follower.ts";
import type { Served } from "./control/resumption.ts";
import { Emergencies } from "./emergencies/emergencies.ts";
import { emergencyDoors } from "./emergencies/routes.ts";
import { ExperimentPulse } from "./experiments/pulse.ts";
import { Intake } from "./exposures/intake.ts";
import { eventDoors } from "./exposures/routes.ts";
import { SharedTails } from "./exposures/shared-tails.ts";
import { type FirstSecrets, prepareFirstStart } from "./first-start.ts";
import { FlagUses } from "./flags/flag-uses.ts";
import { greeting } from "./greeting.ts";
import { ImportLog } from "./imports/import-log.ts";
import { Importer } from "./imports/importer.ts";
import { importDoors } from "./imports/routes.ts";
import { InstanceRegistry } from "./instances/registry.ts";
import { meteredLog } from "./meters/log-meters.ts";
import { meterParts } from "./meters/parts.ts";
import { oidcProvider } from "./oidc/provider.ts";
import { recordDoors } from "./record-doors.ts";
import { releaseDoors } from "./release-doors.ts";
import { ReleaseDesk } from "./releases/desk.ts";
import { messageNotice } from "./releases/messages.ts";
import { PromisedRollbacks } from "./releases/promised-rollbacks.ts";
import { RetentionKeeper } from "./retention/keeper.ts";
import { startRounds } from "./rounds.ts";
import { closing, endApp, listen, type RunningServer } from "./running-server.ts";
import { startFault } from "./start-fault.ts";
import type { ChangeLog } from "./store/changes/index.ts";
import { leavingLeases, withLease } from "./store/changes/lease.ts";
import { isAway, untilThere } from "./store/changes/until-there.ts";
import { takeDataFolder } from "./store/data-folder.ts";
import { openEventStore } from "./store/events/index.ts";
import { overlaid } from "./store/overlaid.ts";
import { postgresSightingStore } from "./store/sightings/index.ts";
import { openUseStore } from "./store/uses/index.ts";
import { descriptorLimit, streamsWithin } from "./stream/descriptors.ts";
import { HUB_LIMITS } from "./stream/hub.ts";
import { Courier } from "./webhooks/courier.ts";
import { webhookDoors } from "./webhooks/routes.ts";
import { sender } from "./webhooks/sender.ts";

/** Starts the server on its embedded stores. @throws Error in words a person can act on. */
export async function startServer(config: Config): Promise<RunningServer> {
  const { closers, close } = closing();
  let app: FastifyInstance | undefined;
  const holder = randomUUID();
  try {
    const folder = await takeDataFolder(config.dataDirectory);
    closers.push(folder.release);
    const bus = openBus(config, (error) => app?.log.warn({ err: error }, "other servers not told; going on without it"));
    closers.push(() => bus.close());
    const { evaluationsPerSecond, ...rates } = config.rates;
    const limits = createRateLimits({
      ...rates,
      ...(config.redis === undefined ? {} : { redis: config.redis }),
      onFault: (error) => app?.log.warn({ err: error }, "Redis is away; rate limits are counted by each server alone"),
    });
    closers.push(() => limits.close());
    const registry = new Registry();
    const opened = await openLog(config, folder.path, (error) => app?.log.warn({ err: error }, "the change log is away"));
    closers.push(() => opened.close());
    const log = meteredLog(
      leavingLeases(opened, () => performance.now()),
      registry,
      Date.now,
    );
    const events = await openEventStore({
      directory: join(folder.path, "events"),
      ...(config.clickHouse === undefined ? {} : { clickHouse: config.clickHouse }),
      log: (message) => app?.log.warn(message),
    });
    closers.push(() => events.close());
    const control = await untilThere(() =>
      ControlPlane.open({
        ...{ log, now: Date.now, compile: COMPILE_OPTIONS },
        onLoss: (served) => app?.log.error({ served: shownServed(served) }, LOSS),
      }),
    );
    const importLog = new ImportLog({ log, control, now: Date.now, holder });
    const imports = await Importer.open({
      directory: join(folder.path, "imports"),
      events,
      now: Date.now,
      log: (message) => app?.log.warn(message),
      onEnd: (record, place) => importLog.tell(record, place),
    });
    closers.push(() => imports.close());
    const emergencies = await Emergencies.open({
      control,
      file: join(folder.path, "emergencies.json"),
      now: Date.now,
      onFault: (error) => app?.log.warn({ err: error }, "emergency overrides not in the change log yet"),
    });
    closers.push(() => emergencies.close());
    if (config.databaseUrl !== undefined) {
      const follower = new Follower({
        control,
        log,
        bus,
        onFault: (error) => app?.log.warn({ err: error }, "other servers not followed"),
      });
      closers.push(() => follower.close());
    }
    const retention = new RetentionKeeper({
      control,
      events,
      now: Date.now,
      onFault: (error, project) => app?.log.warn({ err: error, project }, "old events not forgotten yet"),
    });
    closers.push(() => retention.close());
    const instances = new InstanceRegistry(Date.now, bus);
    const gathered = await gatherLedgers(config, folder.path, { control, events }, (error) =>
      app?.log.warn({ err: error }, "ledgers of other servers not read yet"),
    );
    if (gathered !== undefined) closers.push(() => gathered.close());
    const read = gathered === undefined ? events : overlaid(events, { ledger: (query) => gathered.ledger(query) });
    const desk = new ReleaseDesk({
      control,
      log,
      events: read,
      instances,
      now: Date.now,
      holder,
      lowerHere: (flag, origin) => emergencies.lower(flag, origin, 0),
      promised: await PromisedRollbacks.open(join(folder.path, "promised-rollbacks.json")),
      ...(config.databaseUrl === undefined ? {} : { sightings: postgresSightingStore({ url: config.databaseUrl }) }),
      tell: (message) => {
        app?.log.warn({ release: message }, "release moved");
        const notice = messageNotice(message);
        if (notice !== undefined) courier.notify(notice).catch((error) => app?.log.warn({ err: error }, "report not told"));
      },
      onFault: (error) => app?.log.warn({ err: error }, "releases not looked at; tried again"),
    });
    closers.push(() => desk.close());
    const uses = await UseBook.open({
      now: Date.now,
      store: await openUseStore(join(folder.path, "uses.db")),
      bus,
      onFault: (error) => app?.log.warn({ err: error }, "last uses not kept yet"),
    });
    closers.push(() => uses.close());
    const pulse = new ExperimentPulse({
      workspace: () => control.workspace,
      book: uses,
      now: Date.now,
      tell: (notice) => {
        app?.log.warn({ notice }, "an experiment fell silent");
        courier.notify(notice).catch((error) => app?.log.warn({ err: error }, "silence not told"));
      },
    });
    closers.push(() => pulse.close());
    const flagUses = new FlagUses(() => control.workspace, uses);
    const intake: Intake = new Intake({
      events,
      onCounted: (batch) => flagUses.take(batch),
      onTaken: (batch) => {
        desk.take(batch);
        pulse.take(batch);
        sharedTails.take(batch);
      },
    });
    const sharedTails = new SharedTails({ bus, tails: intake.tails, now: Date.now });
    closers.push(() => sharedTails.close());
    const deliveries = await openDeliveries(config, folder.path);
    closers.push(() => deliveries.close());
    const send = sender({ allow: config.webhookAllow });
    const courier = new Courier({
      log,
      control,
      store: deliveries,
      send,
      now: Date.now,
      random: Math.random,
      holder,
      onFault: (error) => app?.log.warn({ err: error }, "webhooks not told yet"),
    });
    closers.push(() => courier.close());
    closers.push(
      ...startRounds({
        ...{ control, log, events, read, deliveries, uses: flagUses, holder },
        warn: (about, message) => app?.log.warn(about, message),
      }),
    );
    meterParts(registry, { control, instances, events, intake, deliveries, tower: desk.tower, pulse, now: Date.now });
    let unready: string | undefined = "it is starting";
    app = await buildApp({
      log,
      control,
      compile: COMPILE_OPTIONS,
      now: Date.now,
      random: Math.random,
      fillRandom,
      logger: { level: config.logLevel },
      uses,
      ...(config.oidc === undefined ? {} : { oidc: oidcProvider(config.oidc) }),
      ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
      unready: () => unready,
      intake,
      instances,
      limits,
      ...(evaluationsPerSecond === undefined ? {} : { ofrep: { requestsPerSecond: evaluationsPerSecond } }),
      streams: { streamsMax: streamsWithin(descriptorLimit(), HUB_LIMITS.streamsMax) },
      meters: { registry, isOpenHere: config.areMetersOpenHere },
      doors: [
        (access) =>
          eventDoors({
            access,
            events,
            intake,
            hasEnvironment: environmentsOf(control),
            ...(gathered === undefined ? {} : { gathered }),
          }),
        recordDoors({ events: read, now: Date.now, deliveries, ...(gathered === undefined ? {} : { gathered }) }),
        webhookDoors({ fillRandom, store: deliveries, courier, send, now: Date.now }),
        importDoors(imports, config.databaseUrl === undefined ? undefined : importLog),
        emergencyDoors(emergencies),
        backupDoors(new Backups({ folder: folder.path, events, now: Date.now })),
        releaseDoors({
          ...{ desk, pulse, log, events: read, fillRandom, send, now: Date.now },
          ...(gathered === undefined ? {} : { gathered }),
        }),
      ],
    });
    closers.push(() => endApp(app));
    // Secrets are made only once they are sure to be shown: a taken port must not swallow them.
    const url = await listen(app, config);
    const { adminToken } = config;
    const first = await startOnce(log, control, { holder, ...(adminToken === undefined ? {} : { adminToken }) });
    unready = undefined;
    return { url, greeting: greeting(url, folder.path, first), close };
  } catch (error) {
    await close().catch(() => undefined);
    throw startFault(error, config.dataDirectory);
  }
}

/** What a tired person is to do is in the operations page, under these words. */
const LOSS = "the change log lost changes that were served here; what it holds now is served, under revisions above them";

/** The revision of each environment up to then, as a log line shows it. */
function shownServed(served: readonly Served[]): Record<string, number> {
  return Object.fromEntries(
    served.flatMap(({ project, environments }) => [...environments].map(([key, revision]) => [`${project}/${key}`, revision])),
  );
}

const fillRandom = (bytes: Uint8Array<ArrayBuffer>): Uint8Array => getRandomValues(bytes);

function environmentsOf(control: ControlPlane): (project: string, environment: string) => boolean {
  return (project, environment) => control.workspace.projects.get(project)?.environments.has(environment) === true;
}

/**
 * Servers that start at once on one database: one of them makes the first project, the others find it. One that starts from
 * its mirror has it already.
 */
async function startOnce(
  log: ChangeLog,
  control: ControlPlane,
  { holder, adminToken }: { readonly holder: string; readonly adminToken?: string },
): Promise<FirstSecrets | undefined> {
  const once = (): Promise<FirstSecrets | undefined> =>
    withLease(log, "first-start", { holder, now: Date.now }, async () => {
      await control.follow();
      return prepareFirstStart(control, { fillRandom, ...(adminToken === undefined ? {} : { adminToken }) });
    });
  const isFirst = control.workspace.projects.size === 0;
  try {
    return await (isFirst ? untilThere(once) : once());
  } catch (error) {
    if (isAway(error) && control.workspace.projects.size > 0) return undefined;
    throw error;
  }
}
