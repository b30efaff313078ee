import type { DeliveryAttempt, EpochMs } from "@belay/protocol";
import { changeView } from "../audit/views.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { WebhookDocument } from "../state/workspace.ts";
import type { ChangeId, ChangeLog } from "../store/changes/index.ts";
import type { Delivery, DeliveryStore, Message, WebhookPlace } from "../store/deliveries/index.ts";
import { bodyOf, isFor, isRoutedTo, type Notice, noticeOf } from "./message.ts";
import { outcomeOf } from "./retries.ts";
import type { Send } from "./sender.ts";
import { signatureHeaders } from "./signature.ts";

export interface CourierOptions {
  readonly log: ChangeLog;
  readonly control: Pick<ControlPlane, "workspace" | "position" | "onCommit">;
  readonly store: DeliveryStore;
  readonly send: Send;
  readonly now: () => EpochMs;
  /** A fraction from 0 to below 1. */
  readonly random: () => number;
  /** Who this process is, for the lease that lets one node of a cluster carry. */
  readonly holder: string;
  /** Told when the outbox or the log failed; the next turn tries again. */
  readonly onFault: (error: unknown) => void;
  /** Time between turns without a commit. Default 1 s. */
  readonly everyMs?: number;
}

/** Something happened that no change tells of, or more than a change tells. */
export interface Notifier {
  notify(notice: Notice): Promise<void>;
}

/** Pending deliveries one webhook may have; what comes on top is dead at once, so that a dead receiver cannot fill the disk. */
const PENDING_MAX = 10_000;

const LEASE = "webhooks";
const LEASE_MS = 15_000;
/** Commits that come within so long are read together: each turn costs the disk what a commit costs it. */
const READ_AFTER_MS = 20;
/** How late the outbox may hear how far the log was read, where nothing of it was a message. */
const POSITION_EVERY_MS = 1_000;
/** Tries of one webhook that are under way at once: enough for a busy project, few enough for a small receiver. */
const AT_ONCE = 4;
const PAGE = 200;
const KEPT_MS = 30 * 24 * 3_600_000;
const FORGET_EVERY_MS = 3_600_000;

/**
 * Carries what happens to webhooks. What the log gained is turned into messages in the outbox, in one step with how far
 * the log was read; what is due is sent, webhook by webhook, so that a slow receiver delays only itself.
 *
 *   commit ──> change log ──read──> outbox ──send──> delivered
 *   notify ────────────────────────>   ^  └─────────> try again, later and later ──> dead, until somebody asks
 *                                      └── resend
 */
export class Courier implements Notifier {
  readonly #options: CourierOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #carrying = new Map<string, Promise<void>>();
  #turn: Promise<void> | undefined;
  #isAwaited = false;
  #isClosed = false;
  #forgetAt = 0;
  #soon: NodeJS.Timeout | undefined;
  /** From when and until when this node surely holds the lease. */
  #held = { from: 0, until: 0 };
  /** How far the log was read, while the lease is held without a break. */
  #position: ChangeId | undefined;
  #written: { readonly position?: ChangeId; readonly at: EpochMs } = { at: 0 };

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.wake(), options.everyMs ?? 1_000).unref();
    options.control.onCommit(() => {
      this.#soon ??= setTimeout(() => {
        this.#soon = undefined;
        this.wake();
      }, READ_AFTER_MS).unref();
    });
  }

  /** Takes a turn soon: at once, or after the one that runs. */
  wake(): void {
    if (this.#isClosed) return;
    if (this.#turn !== undefined) {
      this.#isAwaited = true;
      return;
    }
    this.#turn = this.#take().finally(() => {
      this.#turn = undefined;
      const again = this.#isAwaited;
      this.#isAwaited = false;
      if (again) this.wake();
    });
  }

  async notify(notice: Notice): Promise<void> {
    await this.#options.store.put(await this.#messagesOf(notice));
    this.wake();
  }

  /** Begins no further try and waits for those under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    await this.#turn;
    await Promise.all(this.#carrying.values());
    if (this.#isHeldAt(this.#options.now())) await this.#putRead([]).catch(this.#options.onFault);
    await this.#options.log.releaseLease(LEASE, this.#options.holder).catch(() => undefined);
  }

  async #take(): Promise<void> {
    const { now, onFault } = this.#options;
    try {
      const at = now();
      if (!(await this.#holdLease(at))) return;
      await this.#read();
      await this.#carryDue();
      await this.#forget(at);
    } catch (error) {
      onFault(error);
    }
  }

  /** The lease is asked for again when half of it is over, not at every turn. */
  async #holdLease(at: EpochMs): Promise<boolean> {
    const { log, holder } = this.#options;
    if (this.#isHeldAt(at) && at < this.#held.until - LEASE_MS / 2) return true;
    // Meanwhile another node may have read further.
    if (!this.#isHeldAt(at)) this.#position = undefined;
    const isHeld = (await log.takeLease(LEASE, holder, { now: at, until: at + LEASE_MS })) !== undefined;
    this.#held = isHeld ? { from: at, until: at + LEASE_MS } : { from: 0, until: 0 };
    return isHeld;
  }

  #isHeldAt(at: EpochMs): boolean {
    return at >= this.#held.from && at < this.#held.until;
  }

  /** Puts what the log gained into the outbox. A first start begins at the end of the log: the past is told to nobody. */
  async #read(): Promise<void> {
    const { log, store, control } = this.#options;
    this.#position ??= await store.position();
    if (this.#position === undefined) {
      this.#position = (await log.changes({}, 1))[0]?.id ?? 0;
      return this.#putRead([]);
    }
    if (!this.#hasWebhooks()) {
      // Nobody is told what happened up to now: a webhook that is made later hears of what comes after it.
      this.#position = Math.max(this.#position, control.position);
      return this.#putReadInTime();
    }
    const entries = await log.entriesAfter(this.#position, PAGE);
    const messages: Message[] = [];
    for (const { id } of entries) {
      const change = await log.change(id);
      const notice = change === undefined ? undefined : noticeOf(changeView(change));
      if (notice !== undefined) messages.push(...(await this.#messagesOf(notice)));
    }
    this.#position = entries.at(-1)?.id ?? this.#position;
    if (messages.length > 0) await this.#putRead(messages);
    else await this.#putReadInTime();
    if (entries.length === PAGE) await this.#read();
  }

  #hasWebhooks(): boolean {
    return [...this.#options.control.workspace.projects.values()].some(({ webhooks }) => webhooks.size > 0);
  }

  /** What is read again after a crash makes the same messages, which the outbox knows by their ids. */
  async #putReadInTime(): Promise<void> {
    if (Math.abs(this.#options.now() - this.#written.at) >= POSITION_EVERY_MS) await this.#putRead([]);
  }

  /** Messages and how far the log was read for them, in one step. */
  async #putRead(messages: readonly Message[]): Promise<void> {
    const position = this.#position;
    if (position === undefined || (messages.length === 0 && position === this.#written.position)) return;
    try {
      await this.#options.store.put(messages, position);
    } catch (error) {
      // They are made again from where the outbox says it is.
      this.#position = undefined;
      throw error;
    }
    this.#written = { position, at: this.#options.now() };
  }

  async #messagesOf(notice: Notice): Promise<Message[]> {
    const { control, store, now, onFault } = this.#options;
    const messages: Message[] = [];
    for (const [webhook, { body }] of control.workspace.projects.get(notice.project)?.webhooks ?? []) {
      // What happened before a webhook was made is not its news.
      const isTold = isFor(body, notice) || isRoutedTo(notice.to ?? [], webhook, body);
      if (!isTold || notice.at < body.createdAt) continue;
      const place: WebhookPlace = { project: notice.project, webhook };
      if ((await store.pending(place)) >= PENDING_MAX) {
        onFault(
          new Error(`webhook ${notice.project}/${webhook} has ${PENDING_MAX} messages waiting: ${notice.type} is not sent`),
        );
        continue;
      }
      const id = `msg_${notice.project}_${webhook}_${notice.id}`;
      messages.push({ ...place, id, type: notice.type, body: bodyOf(body, notice), createdAtMs: now() });
    }
    return messages;
  }

  /** Starts a carrier for each webhook that has something due and no carrier. */
  async #carryDue(): Promise<void> {
    const due = await this.#options.store.due(this.#options.now(), AT_ONCE);
    for (const [place, deliveries] of byWebhook(due)) {
      if (this.#carrying.has(place) || this.#isClosed) continue;
      const carrying = Promise.all(deliveries.map((delivery) => this.#carry(delivery)))
        .then(() => undefined, this.#options.onFault)
        .finally(() => {
          this.#carrying.delete(place);
          // There may be more of it than one page.
          this.wake();
        });
      this.#carrying.set(place, carrying);
    }
  }

  async #carry(delivery: Delivery): Promise<void> {
    const { control, store, now, random } = this.#options;
    const webhook = control.workspace.projects.get(delivery.project)?.webhooks.get(delivery.webhook)?.body;
    const at = now();
    const started = performance.now();
    const sent =
      webhook === undefined ? { fault: "the webhook was deleted", isFinal: true } : await this.#try(delivery, webhook, at);
    const { status, fault } = sent;
    const attempt: DeliveryAttempt = {
      at: new Date(at).toISOString(),
      durationMs: Math.round(performance.now() - started),
      ...(status === undefined ? {} : { status }),
      ...(fault === undefined ? {} : { fault }),
    };
    await store.record(delivery.id, attempt, outcomeOf(sent, delivery.attempts.length + 1, now(), random()));
  }

  #try({ id, body }: Delivery, { url, secrets }: WebhookDocument, at: EpochMs): ReturnType<Send> {
    return this.#options.send(url, signatureHeaders(id, body, at, secrets), body);
  }

  async #forget(at: EpochMs): Promise<void> {
    if (at < this.#forgetAt) return;
    this.#forgetAt = at + FORGET_EVERY_MS;
    await this.#options.store.forget(at - KEPT_MS);
  }
}

const placeOf = ({ project, webhook }: WebhookPlace): string => `${project}/${webhook}`;

function byWebhook(deliveries: readonly Delivery[]): Map<string, Delivery[]> {
  const groups = new Map<string, Delivery[]>();
  for (const delivery of deliveries) {
    const group = groups.get(placeOf(delivery));
    if (group === undefined) groups.set(placeOf(delivery), [delivery]);
    else group.push(delivery);
  }
  return groups;
}
