import { ProblemError } from "../http/problem.ts";
import type { ChangeLog } from "../store/changes/index.ts";

/** A log that a switch takes away: it can neither be read nor written then. */
export function severable(log: ChangeLog, line: { isCut: boolean }): ChangeLog {
  return new Proxy(log, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== "function" || name === "load" || name === "close") return value?.bind?.(target) ?? value;
      return (...args: unknown[]) => {
        const away = { store: "The change log", reason: "ECONNREFUSED", retryAfterS: 1 };
        return line.isCut ? Promise.reject(new ProblemError("store_unavailable", away)) : value.apply(target, args);
      };
    },
  });
}
