/** A store with some methods replaced; the others stay bound to it. */
export function overlaid<T extends object>(store: T, methods: Partial<T>): T {
  return new Proxy(store, {
    get: (target, name) => {
      const own = methods[name as keyof T] ?? Reflect.get(target, name, target);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}
