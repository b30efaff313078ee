/** Nodes and weights of a rule on [-1, 1]. */
export interface QuadratureRule {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/** Gauss and Legendre's rule of `order` points by Newton on the recurrence. Source: Abramowitz and Stegun 25.4.29. */
export function gaussLegendre(order: number): QuadratureRule {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < order; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (order + 0.5));
    let slope = 1;
    for (let step = 0; step < 50; step++) {
      const { value, derivative } = legendre(order, x);
      slope = derivative;
      const next = x - value / derivative;
      if (next === x || Math.abs(next - x) < 1e-16) break;
      x = next;
    }
    nodes.push(-x);
    weights.push(2 / ((1 - x * x) * slope * slope));
  }
  return { nodes, weights };
}

const PANEL: QuadratureRule = gaussLegendre(16);

/** The integral of a smooth function over [low, high], in `panels` equal panels of sixteen Gauss points. */
export function integrate(f: (x: number) => number, low: number, high: number, panels: number): number {
  const half = (high - low) / panels / 2;
  let sum = 0;
  for (let panel = 0; panel < panels; panel++) {
    const centre = low + (2 * panel + 1) * half;
    for (let i = 0; i < PANEL.nodes.length; i++) sum += (PANEL.weights[i] ?? 0) * f(centre + half * (PANEL.nodes[i] ?? 0));
  }
  return sum * half;
}

function legendre(order: number, x: number): { value: number; derivative: number } {
  let previous = 1;
  let value = x;
  for (let k = 2; k <= order; k++) {
    const next = ((2 * k - 1) * x * value - (k - 1) * previous) / k;
    previous = value;
    value = next;
  }
  return { value, derivative: (order * (x * value - previous)) / (x * x - 1) };
}
