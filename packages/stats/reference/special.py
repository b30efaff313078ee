"""Reference values of the special functions, computed with mpmath at 40 digits.

Run once: python3 special.py (Debian's python3-mpmath and python3-scipy). It writes special.json beside itself; the tests read that file.
"""
import json
from pathlib import Path

import mpmath as mp
import scipy
from scipy.stats import beta as beta_law
from scipy.stats import binom, chi2, f as f_law, norm, t

mp.mp.dps = 40


def number(x):
    return float(mp.nstr(x, 17, min_fixed=0, max_fixed=0))


def normal_tail(z):
    return mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2


def gamma_lower(a, x):
    """P(a, x): the series with positive terms below the mean, one minus the fraction above."""
    a, x = mp.mpf(a), mp.mpf(x)
    if x >= a + 1:
        return 1 - gamma_fraction(a, x)
    term, total, k = mp.mpf(1), mp.mpf(1), 0
    while term > total * mp.mpf(10) ** -38:
        k += 1
        term *= x / (a + k)
        total += term
    return mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1)) * total


def gamma_upper(a, x):
    a, x = mp.mpf(a), mp.mpf(x)
    return gamma_fraction(a, x) if x >= a + 1 else 1 - gamma_lower(a, x)


def gamma_fraction(a, x):
    """Q(a, x) by the even part of the continued fraction, evaluated forwards on the convergents' ratio."""
    p0, p1, q0, q1, k = mp.mpf(0), mp.mpf(1), mp.mpf(1), x + 1 - a, 0
    value = p1 / q1
    while True:
        k += 1
        an, bn = -k * (k - a), x + 2 * k + 1 - a
        p0, p1, q0, q1 = p1, bn * p1 + an * p0, q1, bn * q1 + an * q0
        following = p1 / q1
        if abs(following - value) <= abs(following) * mp.mpf(10) ** -36:
            return mp.exp(a * mp.log(x) - x - mp.loggamma(a)) * following
        value = following


def beta_lower(a, b, x, y=None):
    """Regularised incomplete beta by the Gauss series that converges fast, exact to the working digits."""
    a, b, x = mp.mpf(a), mp.mpf(b), mp.mpf(x)
    y = 1 - x if y is None else mp.mpf(y)
    log_pre = a * mp.log(x) + b * mp.log(y) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b)
    if x < (a + 1) / (a + b + 2):
        return mp.exp(log_pre) / a * series(a, b, x)
    return 1 - mp.exp(log_pre) / b * series(b, a, y)


def beta_upper(a, b, x, y=None):
    x = mp.mpf(x)
    y = 1 - x if y is None else mp.mpf(y)
    return beta_lower(b, a, y, x)


def series(a, b, x):
    # 2F1(a+b, 1; a+1; x): every term positive.
    term, total, k = mp.mpf(1), mp.mpf(1), 0
    while term > total * mp.mpf(10) ** -38:
        term *= (a + b + k) / (a + 1 + k) * x
        total += term
        k += 1
    return total


def student_tail(t, df):
    """The density integrated over s = t / sqrt(df + t^2), which maps the tail to a finite interval."""
    t, df = mp.mpf(t), mp.mpf(df)
    log_scale = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2

    def density(x):
        return mp.exp(log_scale - (df + 1) / 2 * mp.log1p(x * x / df))

    if df < 3:
        return beta_lower(df / 2, mp.mpf(1) / 2, df / (df + t * t), t * t / (df + t * t)) / 2
    width = 1 / (t + 1)
    points = [t + width * k for k in (0, 1, 3, 6, 12, 25, 60, 200, 1000)] + [mp.inf]
    return mp.quad(density, points)


def refine(tail, q, start):
    """Secant steps on ln(tail) from scipy's quantile: the answer no longer depends on scipy's error."""
    target = mp.log(mp.mpf(q))
    x0, x1 = mp.mpf(start), mp.mpf(start) * (1 + mp.mpf(10) ** -6) + mp.mpf(10) ** -9
    f0, f1 = mp.log(tail(x0)) - target, mp.log(tail(x1)) - target
    for _ in range(30):
        if f1 == f0 or abs(x1 - x0) < abs(x1) * mp.mpf(10) ** -22:
            break
        x0, x1, f0 = x1, x1 - f1 * (x1 - x0) / (f1 - f0), f1
        f1 = mp.log(tail(x1)) - target
    return x1


def main():
    out = {"tool": f"mpmath {mp.__version__} at {mp.mp.dps} digits; scipy {scipy.__version__} for starting points", "script": "special.py"}
    xs = [-6, -3, -1.5, -0.5, -1e-3, 0, 1e-8, 1e-3, 0.1, 0.46, 0.47, 0.5, 1, 1.5, 2, 3, 3.99, 4.01, 5, 7.5, 10, 15, 20, 26]
    out["erf"] = [[x, number(mp.erf(mp.mpf(x)))] for x in xs]
    out["erfc"] = [[x, number(mp.erfc(mp.mpf(x)))] for x in xs]
    out["logErfc"] = [[x, number(mp.log(mp.erfc(mp.mpf(x))))] for x in [0.2, 1, 5, 30, 100, 1e4, 1e8]]
    zs = [-37, -20, -8, -5, -3, -1, -0.1, 0, 0.1, 1, 1.96, 3, 5, 6.5, 8, 8.9, 12, 20, 30, 37, 37.5]
    out["normalTail"] = [[z, number(normal_tail(z))] for z in zs]
    qs = [1e-300, 1e-200, 1e-100, 1e-50, 1e-20, 1e-16, 1e-12, 1e-9, 1e-6, 1e-4, 0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.4, 0.49, 0.499999]
    out["normalTailQuantile"] = [[q, number(refine(lambda z: normal_tail(z), q, norm.isf(q)))] for q in qs]
    out["logGamma"] = [[x, number(mp.loggamma(mp.mpf(x)))] for x in [1e-6, 0.01, 0.25, 0.5, 1.5, 2.5, 3, 7.3, 14.9, 15.1, 100, 1e4, 1e6, 1e9]]
    cases = []
    for df in [0.5, 1, 2, 3, 5, 10, 37, 100, 1000, 20000]:
        for m in [1e-6, 0.01, 0.3, 0.8, 0.99, 1, 1.01, 1.2, 2, 4, 20]:
            x = df * m
            lower, upper = gamma_lower(mp.mpf(df) / 2, mp.mpf(x) / 2), gamma_upper(mp.mpf(df) / 2, mp.mpf(x) / 2)
            if min(lower, upper) > mp.mpf(10) ** -290:
                cases.append([x, df, number(lower), number(upper)])
    out["chiSquare"] = cases
    out["chiSquareTailQuantile"] = [
        [q, df, number(refine(lambda x: gamma_upper(mp.mpf(df) / 2, x / 2), q, chi2.isf(q, df)))]
        for df in [1, 2, 5, 30, 200] for q in [1e-100, 1e-20, 1e-6, 0.001, 0.05, 0.5, 0.9, 0.999]
    ]
    out["student"] = [
        [x, df, number(student_tail(x, df))]
        for df in [0.7, 1, 2, 3.3, 10, 50.5, 1000, 1e5, 1e6]
        for x in [1e-4, 0.1, 0.5, 1, 1.7, 2, 3, 5, 8, 12, 30]
        if student_tail(x, df) > mp.mpf(10) ** -290
    ]
    out["studentTailQuantile"] = [
        [q, df, number(refine(lambda x: student_tail(x, df), q, t.isf(q, df)))]
        for df in [1, 2, 4.4, 20, 300, 5000] for q in [1e-12, 1e-6, 0.001, 0.025, 0.2, 0.45]
    ]
    fisher = []
    for d1, d2 in [(1, 1), (1, 10), (3, 7.5), (10, 200), (50, 50), (4, 20000)]:
        for f in [1e-4, 0.1, 0.7, 1, 1.5, 3, 10, 60]:
            x = mp.mpf(d1) * f / (mp.mpf(d1) * f + d2)
            y = mp.mpf(d2) / (mp.mpf(d1) * f + d2)
            upper = beta_upper(mp.mpf(d1) / 2, mp.mpf(d2) / 2, x, y)
            lower = beta_lower(mp.mpf(d1) / 2, mp.mpf(d2) / 2, x, y)
            if min(lower, upper) > mp.mpf(10) ** -290:
                fisher.append([f, d1, d2, number(lower), number(upper)])
    out["fisher"] = fisher
    beta = []
    for a, b in [(0.5, 0.5), (1, 1), (2, 5), (0.5, 200), (30, 3), (101, 902), (5001, 5001), (50001, 950001), (500, 999500)]:
        mean, sd = mp.mpf(a) / (a + b), mp.sqrt(mp.mpf(a) * b / (mp.mpf(a + b) ** 2 * (a + b + 1)))
        for k in [-8, -4, -2, -0.5, 0, 0.5, 2, 4, 8, 15]:
            x = float(mean + k * sd)
            if 0 < x < 1:
                lower, upper = beta_lower(a, b, x), beta_upper(a, b, x)
                if min(lower, upper) > mp.mpf(10) ** -290:
                    beta.append([a, b, x, number(lower), number(upper)])
    out["beta"] = beta
    binomial = []
    for n, p in [(10, 0.5), (20, 0.01), (500, 0.01), (1000, 0.3), (100000, 0.02), (1000000, 0.5)]:
        sd = (n * p * (1 - p)) ** 0.5
        for k in sorted({max(0, min(n - 1, round(n * p + m * sd))) for m in [-10, -6, -3, -1, 0, 1, 3, 6, 10]}):
            lower = beta_upper(k + 1, n - k, p)
            tail = beta_lower(k, n - k + 1, p) if k > 0 else mp.mpf(1)
            if min(lower, tail) > mp.mpf(10) ** -290:
                binomial.append([k, n, p, number(lower), number(tail)])
    out["binomial"] = binomial
    out["logNormalTail"] = [[z, number(mp.log1p(-normal_tail(-z)) if z < 0 else mp.log(normal_tail(z)))] for z in [-35, -20, -9.3, -5, -1, -0.1, 0, 0.3, 2, 9, 40, 100]]
    out["betaTailQuantile"] = [
        [q, a, b, number(refine(lambda x: beta_upper(a, b, x), q, beta_law.isf(q, a, b)))]
        for a, b in [(0.5, 0.5), (2, 5), (30, 3), (101, 902), (5001, 5001)] for q in [1e-100, 1e-12, 0.001, 0.025, 0.3, 0.5, 0.9, 0.999]
        if beta_law.isf(q, a, b) < 1 - 1e-6
    ]
    out["fisherTailQuantile"] = [
        [q, d1, d2, number(refine(lambda x: beta_upper(mp.mpf(d1) / 2, mp.mpf(d2) / 2, d1 * x / (d1 * x + d2), d2 / (d1 * x + d2)), q, f_law.isf(q, d1, d2)))]
        for d1, d2 in [(1, 10), (3, 7.5), (10, 200), (50, 50)] for q in [1e-9, 1e-6, 0.001, 0.05, 0.5, 0.9, 0.999]
    ]
    out["binomialTailQuantile"] = [
        [q, n, p, int(binom.isf(q, n, p))]
        for n, p in [(10, 0.5), (500, 0.01), (1000, 0.3), (100000, 0.02)] for q in [1e-12, 0.001, 0.025, 0.5, 0.9, 0.999]
    ]
    Path(__file__).with_name("special.json").write_text(json.dumps(out, indent=None, separators=(",", ":")).replace('],"', '],\n"') + "\n")


main()
