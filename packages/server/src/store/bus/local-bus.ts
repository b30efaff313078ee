import type { Json } from "@belay/protocol";
import type { Bus, Topic } from "./bus.ts";
import { Listeners } from "./listeners.ts";

/** A bus inside one process: what a server has that is alone, and what tests join several servers with. */
export class LocalBus {
  readonly #members = new Set<Listeners>();

  /** A member's end of it. Messages arrive on a later turn, as they do over a network. */
  join(): Bus {
    const own = new Listeners();
    this.#members.add(own);
    return {
      publish: (topic, message) => this.#publish(own, topic, message),
      subscribe: (topic, listener) => own.add(topic, listener),
      // Nothing is ever missed in here.
      onGap: () => undefined,
      close: async () => {
        this.#members.delete(own);
      },
    };
  }

  #publish(from: Listeners, topic: Topic, message: Json): void {
    if (!this.#members.has(from)) return;
    for (const member of this.#members) {
      if (member !== from) setImmediate(() => this.#members.has(member) && member.tell(topic, message));
    }
  }
}
