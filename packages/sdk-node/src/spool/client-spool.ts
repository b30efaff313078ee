import type { DeliverySettings, EventSpool, Platform } from "@belay/core/client";
import { OwnFolder } from "./folder.ts";
import { Leftovers } from "./leftovers.ts";
import { Spool, type SpoolHead } from "./spool.ts";

/** The spool of one client: its own events, and those that others have left. */
export interface SpoolOfClient {
  readonly events: EventSpool;
  start(): void;
  /** To be called when no event can come any more. Never rejects. */
  close(): Promise<void>;
  /** Writes what is not written yet before the process ends with this turn. */
  saveNow(): void;
}

export interface SpoolHost {
  /** Something is wrong with the disk, or with what was found on it. */
  failed(detail: string): void;
  sent(instance: string, events: number): void;
}

/** @param origin folder of all instances of this server and key */
export function spoolOf(
  origin: string,
  head: SpoolHead,
  platform: Platform,
  settings: DeliverySettings,
  { failed, sent }: SpoolHost,
): SpoolOfClient {
  const folder = new OwnFolder(origin, head.instance);
  const spool = new Spool(folder, head, failed);
  const leftovers = new Leftovers(folder, head.instance, { platform, settings }, { sent, lost: failed });
  return {
    events: spool,
    start: () => leftovers.start(),
    close: async () => {
      await leftovers.close();
      await spool.close();
    },
    saveNow: () => spool.saveNow(),
  };
}
