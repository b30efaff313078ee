/* A release that climbs, holds, does harm at one half and is taken back, on a real event store and a clock that tests turn. */
import { tempDir } from "@belay/testkit";
import { E, P } from "../../app.fixture.ts";
import { eventDoors } from "../../exposures/routes.ts";
import { recordDoors } from "../../record-doors.ts";
import type { ChangeLog } from "../../store/changes/index.ts";
import { batchOf } from "../../store/events/events.fixture.ts";
import { type EventStore, openEventStore } from "../../store/events/index.ts";
import { type ReleaseServer, releaseServer } from "../desk.fixture.ts";
import { pointOf } from "../placement.ts";
import { ERRORS } from "../release.fixture.ts";

export const CHECKOUT: string = `${E}/releases/checkout`;

export interface Story {
  readonly server: ReleaseServer;
  readonly log: ChangeLog;
  readonly events: EventStore;
  readonly close: () => Promise<void>;
}

const MINUTE_MS = 60_000;
const UNITS = 200;
const INSTANCES = ["shop-1", "shop-2", "shop-3"];

const COUNTRIES = ["DE", "FR", undefined];

/**
 * Errors roll back, latency and errors on phones only report; 2 h at 10 %, then one half, where treated units fail five times as often.
 * @param hasBanner is another release live meanwhile?
 */
export async function tellStory({ hasBanner = false }: { readonly hasBanner?: boolean } = {}): Promise<Story> {
  const folder = await tempDir("log-story");
  const events = await openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 });
  let server: ReleaseServer | undefined;
  let log: ChangeLog | undefined;
  const now = (): number => server?.clock.now ?? 0;
  const random = dice(7);
  server = await releaseServer({
    events,
    wrapLog: (opened) => {
      log = opened;
      return opened;
    },
    // The flag's salt says who is treated: from a seed, so that the story is the same every time.
    fillRandom: (bytes) => bytes.map(() => Math.floor(256 * random())),
    doors: [(access) => eventDoors({ access, events, hasEnvironment: () => true, now }), recordDoors({ events, now })],
  });
  await draft(server);
  if (hasBanner) await bannerBeside(server);
  const visitors = new Visitors(server, events, hasBanner);
  await visitors.come(12);
  await server.desk.service.tick();
  await visitors.come(3);
  await server.ask("POST", `${P}/incidents`, { key: "dns", reason: "Names did not resolve" });
  await server.ask("POST", `${CHECKOUT}/hold`, { reason: "odd latencies" });
  await visitors.come(3);
  await server.ask("POST", `${P}/incidents/dns/end`, {});
  await server.ask("POST", `${CHECKOUT}/resume`, { reason: "it was DNS" });
  visitors.harm = 5;
  for (let batch = 0; batch < 30 && (await state(server)) !== "rolling-back"; batch += 1) await visitors.come(1);
  await takeReceipts(server);
  await server.ask("POST", `${CHECKOUT}/lessons`, {
    taught: "Half is too far for a first look",
    better: "Stay at 10 % for a day",
  });
  const { close } = server;
  return {
    server,
    log: log as ChangeLog,
    events,
    close: async () => {
      await close();
      await events.close();
      await folder.remove();
    },
  };
}

async function draft({ ask }: ReleaseServer): Promise<void> {
  await ask("POST", `${P}/flags`, { key: "checkout" });
  const stage = (name: string, percentage: number, gates: string[]) => ({
    name,
    percentage,
    hold: { minDurationS: 7_200 },
    gates,
  });
  const latency = { kind: "values", event: "latency", cap: 1_000, scale: 20 };
  await ask("POST", `${E}/releases`, {
    key: "checkout",
    flag: "checkout",
    description: "One page <instead> of three",
    stages: [stage("Beta", 10, ["team", "impact"]), stage("Half", 50, ["non-inferiority"]), stage("Full", 100, [])],
    guardrails: [
      { ...ERRORS, staleAfterS: 7_200 },
      { metric: "latency", measure: latency, harm: "increase", margin: 50, onBreach: "warn", dryRun: true, staleAfterS: 7_200 },
      {
        ...ERRORS,
        metric: "phone-errors",
        measure: { ...ERRORS.measure, filters: [ON_PHONE] },
        dryRun: true,
        staleAfterS: 7_200,
      },
    ],
    segments: ["country"],
    alertRoutes: ["slack:#releases"],
    contacts: { owner: "ann", onCall: "bob" },
    predictions: [
      { metric: "errors", mean: 0, interval: [-0.05, 0.05], level: 0.9 },
      { metric: "revenue", mean: 0.02, interval: [0, 0.04], level: 0.8 },
    ],
  });
  const { secret } = (await ask("POST", "/api/v1/tokens", { name: "bob", role: "operator" })).body;
  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/start`, { reason: "the first hundred" });
  await ask("POST", `${CHECKOUT}/evidence`, { kind: "runbook-tried" }, { as: secret });
  await ask("POST", `${CHECKOUT}/evidence`, { kind: "note-sent" });
}

const ON_PHONE = { property: "device", op: "in", value: ["phone"] };

/** Another release, live at one half all the time: most visitors are in both. */
async function bannerBeside({ ask }: ReleaseServer): Promise<void> {
  await ask("POST", `${P}/flags`, { key: "banner" });
  const stages = [{ name: "Half", percentage: 50, hold: { minDurationS: 900_000 }, gates: [] }];
  const guardrails = [{ ...ERRORS, measure: { kind: "failures", event: "banner-error" }, onBreach: "warn" }];
  await ask("POST", `${E}/releases`, { key: "banner", flag: "banner", stages, guardrails, alertRoutes: ["slack:#releases"] });
  await ask("POST", `${E}/releases/banner/ready`, {});
  await ask("POST", `${E}/releases/banner/start`, {});
}

/** Ten minutes of traffic at a time, placed as SDKs place it. */
class Visitors {
  harm = 1;
  readonly #server: ReleaseServer;
  readonly #events: EventStore;
  readonly #chance = dice(20261123);
  readonly #hasBanner: boolean;
  #seq = 0;
  #unit = 0;

  constructor(server: ReleaseServer, events: EventStore, hasBanner: boolean) {
    this.#server = server;
    this.#events = events;
    this.#hasBanner = hasBanner;
  }

  async come(batches: number): Promise<void> {
    for (let batch = 0; batch < batches; batch += 1) await this.#once();
  }

  async #once(): Promise<void> {
    const { clock, ask, desk, receive } = this.#server;
    clock.now += 10 * MINUTE_MS;
    const release = (await ask("GET", CHECKOUT)).body;
    const { salt } = (await ask("GET", `${P}/flags/checkout`)).body.spaces.share;
    const { percentage, revision } = release.epochs.at(-1);
    const banner = this.#hasBanner ? await this.#banner() : undefined;
    for (const instance of INSTANCES) receive(instance, release.revision);
    const exposures = [];
    const metrics = [];
    for (let i = 0; i < UNITS; i += 1) {
      this.#unit += 1;
      const unit = `visitor-${this.#unit}`;
      const place = pointOf(salt, unit) / 10_000;
      const isTreated = place < percentage;
      const isControl = place >= 100 - Math.min(percentage, 100 - percentage);
      const at = { timeMs: clock.now, unit };
      if (isTreated || isControl) {
        const variant = isTreated ? "on" : "off";
        const country = COUNTRIES[this.#unit % COUNTRIES.length];
        const own = { flag: "checkout", variant, release: "checkout", epoch: revision, revision };
        exposures.push({ seq: this.#next(), ...at, ...own, ...(country === undefined ? {} : { attributes: { country } }) });
      }
      if (banner !== undefined) {
        const variant = pointOf(banner.salt, unit) < 500_000 ? "on" : "off";
        const own = { flag: "banner", variant, release: "banner", epoch: banner.epoch, revision };
        exposures.push({ seq: this.#next(), ...at, ...own });
      }
      const fails = this.#chance() < 0.03 * (isTreated ? this.harm : 1);
      const properties = { device: this.#unit % 2 === 0 ? "phone" : "desktop" };
      if (fails) metrics.push({ seq: this.#next(), ...at, name: "error", properties });
      // Who fails may fail again: it counts once.
      if (fails && this.#chance() < 0.5) metrics.push({ seq: this.#next(), ...at, name: "error", properties });
      metrics.push({ seq: this.#next(), ...at, name: "latency", value: Math.round(200 + 400 * this.#chance() ** 3) });
    }
    const batch = batchOf({
      batchId: `b${this.#unit}`,
      receivedAtMs: clock.now,
      exposures,
      metrics,
    });
    await this.#events.append(batch);
    desk.tower.count(batch);
    // What is decided on a batch is decided after it.
    clock.now += 1;
    await desk.service.tick();
  }

  async #banner(): Promise<{ readonly salt: string; readonly epoch: number }> {
    const { ask } = this.#server;
    const { salt } = (await ask("GET", `${P}/flags/banner`)).body.spaces.share;
    return { salt, epoch: (await ask("GET", `${E}/releases/banner`)).body.epochs.at(-1).revision };
  }

  #next(): number {
    this.#seq += 1;
    return this.#seq;
  }
}

/** Two of three instances acknowledge; the third is not waited for beyond a quarter of an hour. */
async function takeReceipts(server: ReleaseServer): Promise<void> {
  const { revision } = (await server.ask("GET", CHECKOUT)).body;
  server.clock.now += 120;
  server.receive("shop-1", revision);
  server.clock.now += 400;
  server.receive("shop-3", revision);
  server.clock.now += 16 * MINUTE_MS;
  await server.desk.service.tick();
}

async function state({ ask }: ReleaseServer): Promise<string> {
  return (await ask("GET", CHECKOUT)).body.state;
}

/** Fractions from a seed: a linear congruential generator (Numerical Recipes). */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
