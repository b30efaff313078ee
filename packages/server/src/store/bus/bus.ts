import type { Json } from "@belay/protocol";

/**
 * What servers of one installation say to each other. Only ever a hint: the change log is the truth, so that a message
 * that is lost costs time and nothing else. Nobody waits for it, and nobody fails for it.
 *
 *   position   "the log reached change 1042": whoever is behind reads it now instead of at its next look
 *   receipt    an SDK said which revision it runs
 *   watched    somebody watches events of a project here
 *   taken      events a server took in, for a server where they are watched
 */
export interface Bus {
  /** Tells every other server. Returns at once; what does not fit or cannot be sent is dropped. */
  publish(topic: Topic, message: Json): void;
  /** Calls with what others publish, never with one's own; returns how to stop. A message may be anything: look first. */
  subscribe(topic: Topic, listener: (message: Json) => void): () => void;
  /** Calls whenever messages may have been missed. */
  onGap(listener: () => void): void;
  close(): Promise<void>;
}

export type Topic = "position" | "receipt" | "watched" | "taken" | "used";
