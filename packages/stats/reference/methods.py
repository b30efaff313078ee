"""Reference values of the statistical methods, from scipy, statsmodels, mpmath and plain numpy on raw data.

Run once: python3 methods.py (Debian's python3-scipy, python3-statsmodels, python3-mpmath). It writes methods.json beside itself.
"""
import json
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import integrate, special, stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

mp.mp.dps = 30
rng = np.random.default_rng(20261122)


def rows(*columns):
    return np.column_stack(columns).round(6).tolist()


def proportions():
    out = []
    for nc, xc, nt, xt in [(1000, 100, 1000, 130), (500, 0, 500, 40), (20000, 200, 1000, 17), (50, 50, 60, 55), (90000, 40000, 91000, 40200), (30, 0, 25, 0)]:
        z, p = proportions_ztest([xt, xc], [nt, nc]) if xc + xt > 0 else (0.0, 1.0)
        case = {"nC": nc, "xC": xc, "nT": nt, "xT": xt, "z": float(z), "p": float(p)}
        for ours, theirs in [("newcombe", "newcomb"), ("agresti-caffo", "agresti-caffo"), ("wald", "wald")]:
            case[ours] = list(map(float, confint_proportions_2indep(xt, nt, xc, nc, method=theirs, compare="diff", correction=False)))
        case["relative"] = [float(b) - 1 for b in confint_proportions_2indep(xt, nt, xc, nc, method="log-adjusted", compare="ratio", correction=False)]
        case["wilson"] = list(map(float, proportion_confint(xt, nt, method="wilson")))
        case["exact"] = list(map(float, proportion_confint(xt, nt, method="beta")))
        out.append(case)
    return out


def means():
    out = []
    for c, t in [
        (rng.normal(10, 2, 40), rng.normal(11, 3, 35)),
        (rng.exponential(5, 300), rng.exponential(6, 30)),
        (np.full(10, 3.0), rng.normal(3.5, 1, 12)),
        (1e9 + rng.normal(0, 3, 25), 1e9 + rng.normal(1, 3, 30)),
    ]:
        c, t = c.round(6), t.round(6)
        test = stats.ttest_ind(t, c, equal_var=False)
        low, high = CompareMeans(DescrStatsW(t), DescrStatsW(c)).tconfint_diff(usevar="unequal")
        z = mp.mpf(stats.norm.isf(0.025))
        mc, mt, vc, vt = (mp.mpf(float(v)) for v in (c.mean(), t.mean(), c.var(ddof=1) / len(c), t.var(ddof=1) / len(t)))
        ends = sorted(mp.re(r) - 1 for r in mp.polyroots([mc**2 - z**2 * vc, -2 * mt * mc, mt**2 - z**2 * vt], maxsteps=500, extraprec=200))
        out.append({"control": c.tolist(), "treatment": t.tolist(), "t": float(test.statistic), "p": float(test.pvalue), "interval": [float(low), float(high)], "fieller": [float(e) for e in ends]})
    return out


def ratios():
    """The event-level mean with standard errors clustered by unit: statsmodels' CR0, times n/(n-1)."""
    out = []
    for n in (30, 400):
        d = rng.poisson(4, n)
        m = np.array([rng.poisson(k * rng.gamma(2, 0.3)) for k in d])
        y = np.concatenate([np.r_[np.full(k, mm / k)] if k else np.array([]) for mm, k in zip(m, d)])
        groups = np.repeat(np.arange(n), d)
        # Units without events carry M = 0 only if they have none; keep M = 0 where D = 0, so both views agree.
        m = np.where(d == 0, 0, m)
        fit = sm.OLS(y, np.ones_like(y)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
        out.append({"rows": np.column_stack([m, d]).tolist(), "value": float(m.sum() / d.sum()), "variance": float(fit.cov_params()[0][0] * n / (n - 1))})
    return out


def quantiles():
    out = []
    for n, q in [(200, 0.5), (1000, 0.95), (5000, 0.99)]:
        x = np.sort(rng.lognormal(0, 1, n).round(6))
        low, high = int(stats.binom.ppf(0.025, n, q)), int(stats.binom.ppf(0.975, n, q)) + 1
        out.append({"values": x.tolist() if n <= 1000 else None, "n": n, "q": q, "ranks": [low, high]})
    return out


def covariates():
    nc, nt, k = 60, 45, 3
    def arm(n, shift):
        x = rng.normal(5, 2, n)
        x2 = rng.binomial(1, 0.4, n)
        y = 2 + shift + 0.8 * x + 0.5 * x2 + shift * 0.1 * x + rng.normal(0, 1, n)
        return np.column_stack([y, x, x2, 2 * x]).round(6)
    c, t = arm(nc, 0), arm(nt, 1)
    y = np.r_[c[:, 0], t[:, 0]]
    treated = np.r_[np.zeros(nc), np.ones(nt)]
    x1 = np.r_[c[:, 1], t[:, 1]]
    x2 = np.r_[c[:, 2], t[:, 2]]
    ancova = sm.OLS(y, np.column_stack([np.ones_like(y), treated, x1])).fit()
    theta = float(ancova.params[2])
    adjusted = y - theta * (x1 - x1.mean())
    welch = stats.ttest_ind(adjusted[treated == 1], adjusted[treated == 0], equal_var=False)
    z1, z2 = x1 - x1.mean(), x2 - x2.mean()
    lin = sm.OLS(y, np.column_stack([np.ones_like(y), treated, z1, z2, treated * z1, treated * z2])).fit(cov_type="HC2")
    beta_gap = lin.params[4:6]
    within = sum(np.cov(np.column_stack([x1, x2])[treated == g].T, ddof=0) * (treated == g).sum() for g in (0, 1))
    spread = float(beta_gap @ within @ beta_gap / (len(y) - 2) / len(y))
    return {"control": c.tolist(), "treatment": t.tolist(), "theta": theta, "cuped": float(ancova.params[1]), "cupedP": float(welch.pvalue), "lin": float(lin.params[1]), "linHc2": float(lin.cov_params()[1][1]), "slopeSpread": spread}


def strata():
    parts, y, treated, stratum = [], [], [], []
    for k, (nc, nt, base) in enumerate([(99, 12, 1), (80, 25, 2), (50, 50, 4)]):
        c, t = rng.normal(base, 1, nc).round(6), rng.normal(base + 0.3, 1.5, nt).round(6)
        parts.append({"control": c.tolist(), "treatment": t.tolist()})
        y += [*c, *t]
        treated += [0] * nc + [1] * nt
        stratum += [k] * (nc + nt)
    dummies = np.eye(3)[stratum]
    fixed = sm.OLS(np.array(y), np.column_stack([treated, dummies])).fit()
    sizes = [len(p["control"]) + len(p["treatment"]) for p in parts]
    effects = [np.mean(p["treatment"]) - np.mean(p["control"]) for p in parts]
    return {"strata": parts, "overlap": float(fixed.params[0]), "population": float(np.average(effects, weights=sizes))}


def posteriors():
    normal = []
    for value, variance, mean, sd in [(2, 1, 0, 1), (-0.01, 1e-4, 0.002, 0.01), (5, 0.1, 0, 3)]:
        weight = sd**2 / (sd**2 + variance)
        m, s = mean + weight * (value - mean), (weight * variance) ** 0.5
        density = stats.norm(m, s)
        loss = float(mp.quad(lambda x: -x * mp.npdf(x, m, s), [m - 40 * s, min(0, m), 0] if m > -40 * s else [m - 40 * s, 0]))
        normal.append({"value": value, "variance": variance, "mean": mean, "sd": sd, "posteriorMean": m, "posteriorSd": s, "chance": float(density.sf(0)), "loss": loss})
    beta = []
    for nc, xc, nt, xt, a, b in [(100, 10, 120, 20, 1, 1), (1000, 5, 50, 1, 0.5, 0.5), (20000, 1000, 20000, 1060, 1, 1), (0, 0, 10, 10, 1, 1)]:
        c, t = stats.beta(a + xc, b + nc - xc), stats.beta(a + xt, b + nt - xt)
        points = sorted({0.0, 1.0, *np.clip([c.mean() + k * c.std() for k in (-8, -4, -2, 0, 2, 4, 8)], 0, 1), *np.clip([t.mean() + k * t.std() for k in (-8, -4, -2, 0, 2, 4, 8)], 0, 1)})
        def total(f):
            return sum(integrate.quad(f, lo, hi, epsabs=1e-15, epsrel=1e-12, limit=200)[0] for lo, hi in zip(points, points[1:]))
        beta.append({"nC": nc, "xC": xc, "nT": nt, "xT": xt, "a": a, "b": b, "chance": total(lambda p: c.pdf(p) * t.sf(p)), "lossIfShipped": total(lambda p: t.cdf(p) * c.sf(p)), "lossIfKept": total(lambda p: c.cdf(p) * t.sf(p))})
    return {"normal": normal, "beta": beta}


def group_sequential():
    """Bounds by a plain trapezoid recursion on a fine fixed grid: slow, simple, and not the engine's method."""
    def spend(kind, alpha, t):
        if kind == "obrien-fleming":
            return 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / np.sqrt(t))
        if kind == "pocock":
            return alpha * np.log(1 + (np.e - 1) * t)
        return alpha * t ** kind["power"]
    def chance(fractions, edges, sides, drift):
        """Chance to leave through a bound when B(t) has drift `drift`."""
        total, t0, grid, density = 0.0, 0.0, np.array([0.0]), None
        for t, z in zip(fractions, edges):
            step, edge = t - t0, z * np.sqrt(t)
            def leave(up):
                tail = stats.norm.sf((edge - up * (grid + drift * step)) / np.sqrt(step))
                return float(tail[0]) if density is None else np.trapz(density * tail, grid)
            total += leave(1) + (leave(-1) if sides == 2 else 0.0)
            fresh = np.linspace(-edge if sides == 2 else -9 * np.sqrt(t), edge, 6001)
            if density is None:
                density = stats.norm.pdf((fresh - drift * t) / np.sqrt(t)) / np.sqrt(t)
            else:
                density = np.array([np.trapz(density * np.exp(-0.5 * (x - grid - drift * step) ** 2 / step), grid) for x in fresh]) / np.sqrt(2 * np.pi * step)
            grid, t0 = fresh, t
        return total
    def bounds(kind, alpha, fractions, sides):
        found, before, t0, grid, density = [], 0.0, 0.0, None, None
        for t in fractions:
            target = (spend(kind, alpha / sides, t) if t < 1 else alpha / sides) - before
            before += target
            step = t - t0
            def exit_chance(edge):
                if grid is None:
                    return stats.norm.sf(edge / np.sqrt(t))
                return np.trapz(density * stats.norm.sf((edge - grid) / np.sqrt(step)), grid)
            low, high = 0.0, 9.0
            for _ in range(70):
                mid = (low + high) / 2
                low, high = (mid, high) if exit_chance(mid * np.sqrt(t)) > target else (low, mid)
            z = (low + high) / 2
            edge = z * np.sqrt(t)
            fresh = np.linspace(-edge if sides == 2 else -9 * np.sqrt(t), edge, 6001)
            if grid is None:
                density = stats.norm.pdf(fresh / np.sqrt(t)) / np.sqrt(t)
            else:
                density = np.array([np.trapz(density * np.exp(-0.5 * (x - grid) ** 2 / step), grid) for x in fresh]) / np.sqrt(2 * np.pi * step)
            grid, t0 = fresh, t
            found.append(float(z))
        return found
    out = []
    for kind, alpha, fractions, sides in [
        ("obrien-fleming", 0.05, [0.2, 0.4, 0.6, 0.8, 1.0], 2),
        ("obrien-fleming", 0.025, [0.3, 0.55, 0.6, 1.0], 1),
        ("pocock", 0.05, [0.25, 0.5, 0.75, 1.0], 2),
        ({"power": 2}, 0.01, [0.1, 0.5, 1.0], 2),
    ]:
        edges = bounds(kind, alpha, fractions, sides)
        out.append({"spending": kind, "alpha": alpha, "sides": sides, "fractions": fractions, "bounds": edges, "chanceAtDrift": chance(fractions, edges, sides, 2.8)})
    return out


def mixtures():
    out = []
    for value, variance, scale in [(0.02, 1e-4, 0.01), (-3, 1, 2), (0.1, 1, 5), (6, 0.5, 1)]:
        se = mp.sqrt(variance)
        points = [-12 * scale, -3 * scale, 0, 3 * scale, 12 * scale]
        def ratio(theta):
            return mp.npdf(value, theta, se) / mp.npdf(value, 0, se) * mp.npdf(theta, 0, scale)
        centre = value * scale**2 / (scale**2 + variance)
        points = sorted({float(p) for p in [*points, centre]})
        two = mp.quad(ratio, points)
        up = 2 * mp.quad(ratio, [p for p in points if p >= 0])
        out.append({"value": value, "variance": variance, "scale": scale, "logE": float(mp.log(two)), "logEIncrease": float(mp.log(up))})
    return out


def event_split():
    ratios = {1.1: 1, 1.25: 3, 1.5: 4, 2: 3, 3: 2, 5: 2, 10: 1}
    out = []
    for cells, tolerance in [([(0, 0.05, 8, 20)], 0), ([(0, 0.01, 1, 30), (1, 0.05, 6, 40), (3, 0.05, 9, 31), (30, 0.1, 20, 90)], 0), ([(0, 0.5, 30, 50), (2, 0.5, 22, 30)], 0.2)]:
        def evidence(since):
            total = mp.mpf(0)
            for ratio in ratios:
                log = mp.mpf(0)
                for hour, share, treated, count in cells:
                    if hour >= since:
                        null = share * (1 + tolerance) / (1 + share * tolerance)
                        other = null * ratio / (1 + null * (ratio - 1))
                        log += mp.log(mp.mpf(stats.binom.pmf(treated, count, other))) - mp.log(mp.mpf(stats.binom.pmf(treated, count, null)))
                total += ratios[ratio] * mp.exp(log)
            return total / 16
        def weight(hour):
            day = (hour - 1) // 24
            return mp.mpf(1) / 24 / ((day + 1) * (day + 2))
        last = cells[-1][0]
        restarted = sum(weight(h) * evidence(h) for h in range(1, last + 1)) + 1 - sum(weight(h) for h in range(1, last + 1))
        out.append({"cells": [dict(zip(["hour", "share", "treated", "total"], c)) for c in cells], "tolerance": tolerance, "logE": float(mp.log((2 * evidence(0) + restarted) / 3))})
    return out


def srm():
    out = []
    for counts, weights in [([44700, 45489], [1, 1]), ([821588, 815482], [0.5, 0.5]), ([900, 50, 50], [90, 5, 5]), ([5200, 4800], [1, 1])]:
        w = np.array(weights) / np.sum(weights)
        test = stats.chisquare(counts, np.sum(counts) * w)
        a = [mp.mpf(1000) * mp.mpf(float(v)) for v in w]
        log = mp.loggamma(1000) - mp.loggamma(1000 + sum(counts)) + sum(mp.loggamma(ai + c) - mp.loggamma(ai) - c * mp.log(wi) for ai, c, wi in zip(a, counts, map(float, w)))
        out.append({"counts": counts, "weights": weights, "statistic": float(test.statistic), "p": float(test.pvalue), "logE": float(log)})
    return out


def multiplicity():
    out = []
    for p in [[0.01, 0.04, 0.03], [0.001, 0.2, 0.012, 0.04, 0.9, 0.012], [0.5], [1e-30, 0.049, 0.05]]:
        out.append({"p": p, "holm": multipletests(p, method="holm")[1].tolist(), "benjamini-hochberg": multipletests(p, method="fdr_bh")[1].tolist()})
    return out


def interaction():
    cells = {k: rng.normal(m, s, n).round(6) for k, m, s, n in [("cc", 1, 1, 40), ("ct", 1.2, 1.1, 50), ("tc", 1.5, 0.9, 45), ("tt", 2.4, 1.3, 38)]}
    y = np.concatenate(list(cells.values()))
    a = np.concatenate([np.full(len(v), float(k[0] == "t")) for k, v in cells.items()])
    b = np.concatenate([np.full(len(v), float(k[1] == "t")) for k, v in cells.items()])
    fit = sm.OLS(y, np.column_stack([np.ones_like(y), a, b, a * b])).fit(cov_type="HC2")
    table = [[250, 300], [280, 260]]
    chi = stats.chi2_contingency(table, correction=False)
    return {"cells": {k: v.tolist() for k, v in cells.items()}, "value": float(fit.params[3]), "standardError": float(fit.bse[3]), "p": float(fit.pvalues[3]), "table": table, "tableP": float(chi[1]), "tableStatistic": float(chi[0])}


def power():
    out = []
    for d, ratio, alpha, target in [(0.5, 1, 0.05, 0.8), (0.2, 1, 0.05, 0.9), (1.0, 3, 0.01, 0.8), (0.1, 9, 0.05, 0.8)]:
        n1 = TTestIndPower().solve_power(effect_size=d, ratio=ratio, alpha=alpha, power=target)
        out.append({"effect": d, "treatmentShare": 1 / (1 + ratio), "alpha": alpha, "power": target, "units": float(n1 * (1 + ratio))})
    nct = [{"t": t, "df": df, "shift": s, "tail": float(stats.nct.sf(t, df, s))} for t, df, s in [(2, 10, 1), (1.97, 300, 2.8), (3, 5, 4), (2, 40, -1)]]
    return {"sizes": out, "noncentral": nct}


def shrinkage():
    effects = rng.normal(0.01, 0.02, 30).round(6)
    variances = rng.uniform(1e-4, 9e-4, 30).round(8)
    fit = combine_effects(effects, variances, method_re="dl")
    return {"effects": effects.tolist(), "variances": variances.tolist(), "tau2": float(fit.tau2), "mean": float(fit.mean_effect_re)}


def predictions():
    crps = []
    for mean, sd, actual in [(0, 1, 0), (1, 2, -3), (0.02, 0.01, 0.05)]:
        def integrand(x):
            return (mp.ncdf(x, mean, sd) - (1 if x >= actual else 0)) ** 2
        points = sorted([mean - 12 * sd, min(actual, mean), max(actual, mean) + 1e-30, mean + 12 * sd])
        crps.append({"mean": mean, "sd": sd, "actual": actual, "crps": float(mp.quad(integrand, points))})
    x = rng.normal(0, 1, 25).round(6)
    y = (0.4 * x + rng.normal(0, 0.5, 25)).round(6)
    fit = stats.linregress(x, y)
    return {"crps": crps, "predicted": x.tolist(), "actual": y.tolist(), "slope": float(fit.slope), "slopeSe": float(fit.stderr), "slopeP": float(stats.linregress(x, y).pvalue)}


def cuped_relatives():
    """Effects after CUPED as shares of control: standard errors from each unit's influence, by numpy on raw rows."""
    own = np.random.default_rng(61)
    arms = []
    for n, shift in [(80, 0), (50, 0.8)]:
        habit = own.gamma(3, 1, n)
        w, d = own.poisson(4, n) + 1, own.poisson(4, n) + 1
        x, m = habit * w + own.normal(0, 1, n), (habit + shift) * d + own.normal(0, 1, n)
        arms.append(np.column_stack([m, d, x, w]).round(6))

    def influences(rows, kind):
        m, d, x, w = rows.T
        if kind == "mean":
            return m.mean(), m - m.mean(), x.mean(), x - x.mean()
        after, before = m.sum() / d.sum(), x.sum() / w.sum()
        return after, (m - after * d) / d.mean(), before, (x - before * w) / w.mean()

    out = {"control": arms[0].tolist(), "treatment": arms[1].tolist()}
    for kind in ("mean", "ratio"):
        (rc, ac, bc, xc), (rt, at, bt, xt) = influences(arms[0], kind), influences(arms[1], kind)
        theta = (ac @ xc + at @ xt) / (xc @ xc + xt @ xt)
        effect = rt - rc - theta * (bt - bc)
        share = effect / rc
        # What one more unit moves: treatment's the effect alone, control's the effect and what it is divided by.
        of_treatment, of_control = (at - theta * xt) / rc, (-(ac - theta * xc) - share * ac) / rc
        variance = of_treatment.var(ddof=1) / len(at) + of_control.var(ddof=1) / len(ac)
        out[kind] = {"theta": float(theta), "effect": float(effect), "share": float(share), "standardError": float(variance**0.5)}
    return out


def main():
    tool = f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}, mpmath {mp.__version__}, numpy {np.__version__}"
    parts = [proportions, means, ratios, quantiles, covariates, strata, posteriors, group_sequential, mixtures, event_split, srm, multiplicity, interaction, power, shrinkage, predictions, cuped_relatives]
    out = {"tool": tool, "script": "methods.py", **{part.__name__: part() for part in parts}}
    text = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in out.items())
    Path(__file__).with_name("methods.json").write_text("{\n" + text + "\n}\n")


main()
