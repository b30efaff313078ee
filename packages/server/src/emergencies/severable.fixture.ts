import { ProblemError } from "../http/problem.ts";
import type { ChangeLog } from "../store/changes/index.ts";

/** A log that a switch takes away: it can neither be read nor written then, or has no room. */
export function severable(log: ChangeLog, line: { isCut: boolean; isFull?: boolean }): ChangeLog {
  return new Proxy(log, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== "function" || name === "load" || name === "close") return value?.bind?.(target) ?? value;
      return (...args: unknown[]) => {
        const away = { store: "The change log", reason: "ECONNREFUSED", retryAfterS: 1 };
        if (!line.isCut) return value.apply(target, args);
        const full = new ProblemError("disk_full", { what: "the change" });
        return Promise.reject(line.isFull === true ? full : new ProblemError("store_unavailable", away));
      };
    },
  });
}
