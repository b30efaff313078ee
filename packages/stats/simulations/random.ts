/** A seeded stream of random numbers: the same seed gives the same simulation on every machine. */
export interface Random {
  /** Uniform on (0, 1). */
  readonly uniform: () => number;
  readonly normal: () => number;
  readonly poisson: (mean: number) => number;
  readonly binomial: (n: number, p: number) => number;
  /** Number of failures before the first success, mean (1 - p) / p. */
  readonly geometric: (p: number) => number;
}

/** xoshiro128** of Blackman and Vigna (2018), seeded through splitmix32. */
export function seeded(seed: number): Random {
  const uniform = uniformStream(seed);
  const normal = normalStream(uniform);
  return {
    uniform,
    normal,
    poisson: (mean) => (mean < 30 ? smallPoisson(mean, uniform) : largePoisson(mean, uniform)),
    binomial: (n, p) => binomial(n, p, uniform),
    geometric: (p) => Math.floor(Math.log(uniform()) / Math.log1p(-p)),
  };
}

function uniformStream(seed: number): () => number {
  const state = new Uint32Array(4);
  let mixed = seed >>> 0;
  for (let i = 0; i < 4; i++) {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    state[i] = z ^ (z >>> 16);
  }
  return () => {
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const e = c ^ a;
    const f = d ^ b;
    state[0] = a ^ f;
    state[1] = b ^ e;
    state[2] = e ^ (b << 9);
    state[3] = rotate(f, 11);
    return (scrambled + 0.5) / 4_294_967_296;
  };
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

// Marsaglia's polar method: two normals per accepted pair.
function normalStream(uniform: () => number): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const kept = spare;
      spare = undefined;
      return kept;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      spare = v * factor;
      return u * factor;
    }
  };
}

function smallPoisson(mean: number, uniform: () => number): number {
  const floor = Math.exp(-mean);
  let product = uniform();
  let k = 0;
  while (product > floor) {
    product *= uniform();
    k++;
  }
  return k;
}

// Hörmann's transformed rejection (PTRS), Insurance: Mathematics and Economics 12 (1993).
function largePoisson(mean: number, uniform: () => number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b) <= -mean + k * Math.log(mean) - logFactorial(k))
      return k;
  }
}

function binomial(n: number, p: number, uniform: () => number): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(n, 1 - p, uniform);
  return n * p < 10 ? binomialByGaps(n, p, uniform) : binomialByRejection(n, p, uniform);
}

// The gaps between successes are geometric: one draw per success.
function binomialByGaps(n: number, p: number, uniform: () => number): number {
  const logQ = Math.log1p(-p);
  let position = 0;
  for (let k = 0; ; k++) {
    position += Math.floor(Math.log(uniform()) / logQ) + 1;
    if (position > n) return k;
  }
}

// Hörmann's BTRS, Journal of Statistical Computation and Simulation 46 (1993).
function binomialByRejection(n: number, p: number, uniform: () => number): number {
  const spread = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * spread;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const c = n * p + 0.5;
  const vr = 0.92 - 4.2 / b;
  const alpha = (2.83 + 5.1 / b) * spread;
  const mode = Math.floor((n + 1) * p);
  const logOdds = Math.log(p / (1 - p));
  const top = logFactorial(mode) + logFactorial(n - mode);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || k > n) continue;
    if (Math.log((v * alpha) / (a / (us * us) + b)) <= top - logFactorial(k) - logFactorial(n - k) + (k - mode) * logOdds)
      return k;
  }
}

const LOG_FACTORIALS: readonly number[] = Array.from({ length: 128 }, (_, k) => {
  let log = 0;
  for (let i = 2; i <= k; i++) log += Math.log(i);
  return log;
});

function logFactorial(k: number): number {
  const known = LOG_FACTORIALS[k];
  if (known !== undefined) return known;
  const x = k + 1;
  return (x - 0.5) * Math.log(x) - x + 0.9189385332046728 + 1 / (12 * x) - 1 / (360 * x * x * x);
}
