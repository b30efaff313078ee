import type { Snapshot } from "@belay/protocol";
import { readDocument } from "./document.ts";

/** Where rules are kept from one page to the next. */
export interface Keeper {
  /** The rules kept under a name; `undefined` where there are none that can be used. Must not throw. */
  read(name: string): Snapshot | undefined;
  /** Must not throw. */
  write(name: string, snapshot: Snapshot): void;
}

/** Larger rules are not kept: what a site may store is little, and not all of it ours. */
const TEXT_MAX = 500_000;

/** Keeps the last known good rules in `localStorage`: a page starts from them, also while the server is away. */
export const localKeeper: Keeper = {
  read: (name) => {
    try {
      // What is cut, foreign or of another version is as good as none, and is written anew.
      return readDocument(localStorage.getItem(name) as string);
    } catch {
      return undefined;
    }
  },
  write: (name, snapshot) => {
    try {
      const text = JSON.stringify(snapshot);
      if (text.length > TEXT_MAX) localStorage.removeItem(name);
      else localStorage.setItem(name, text);
    } catch {
      // Storage that is full or forbidden costs the next page a moment, and this one nothing.
    }
  },
};
