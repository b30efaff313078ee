import { Counter, Gauge, type Registry } from "prom-client";

export interface Meter<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
}

/** Sets one series. */
export type SetSeries<L extends string> = (value: number, labels?: Readonly<Record<L, string>>) => void;

/**
 * A gauge that is read when the scraper asks: `read` sets every series there is now. One that cannot be read has none,
 * and costs the others nothing.
 */
export function gauge<L extends string = never>(
  registry: Registry,
  { name, help, labels = [] }: Meter<L>,
  read: (set: SetSeries<L>) => void | Promise<void>,
): void {
  new Gauge<L>({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    async collect() {
      const found: [number, Readonly<Record<L, string>> | undefined][] = [];
      await Promise.resolve(read((value, of) => void found.push([value, of]))).catch(() => undefined);
      this.reset();
      for (const [value, of] of found) of === undefined ? this.set(value) : this.set(of, value);
    },
  });
}

/** A counter whose number is kept elsewhere: `read` says what it is by now. */
export function counter(registry: Registry, meter: Omit<Meter<never>, "labels">, read: () => number): void {
  new Counter({
    ...meter,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
