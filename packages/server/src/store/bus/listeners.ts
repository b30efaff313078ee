import type { Json } from "@belay/protocol";
import type { Topic } from "./bus.ts";

/** Who listens to which topic. */
export class Listeners {
  readonly #byTopic = new Map<string, Set<(message: Json) => void>>();

  add(topic: Topic, listener: (message: Json) => void): () => void {
    const known = this.#byTopic.get(topic) ?? new Set();
    this.#byTopic.set(topic, known.add(listener));
    return () => known.delete(listener);
  }

  tell(topic: string, message: Json): void {
    for (const listener of this.#byTopic.get(topic) ?? []) listener(message);
  }
}
