/** The style of a report: two palettes, no outside font, fit for paper. Its hash stands in the policy, so it is one constant text. */
export const REPORT_STYLE = `
:root{color-scheme:light dark;--ground:#fff;--text:#1c2430;--quiet:#5c6675;--line:#d9dee6;--panel:#f5f7fa;--good:#11734b;--bad:#b3261e;--open:#3d5a99;--band:#3d5a9926}
@media(prefers-color-scheme:dark){:root{--ground:#12161c;--text:#e6eaf0;--quiet:#9aa5b4;--line:#2c3440;--panel:#1a2029;--good:#5fcf9d;--bad:#ff8a80;--open:#8fb0f5;--band:#8fb0f533}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:24px 20px 64px}
header{border-left:6px solid var(--open);background:var(--panel);padding:16px 20px;border-radius:4px}
header.ship{border-color:var(--good)}
header.do-not-ship,header.fix-quality-first{border-color:var(--bad)}
.kicker,.note,footer,small{color:var(--quiet);font-size:13px}
.kicker{margin:0}
h1{font-size:24px;line-height:1.3;margin:4px 0 8px}
h2{font-size:18px;margin:36px 0 8px;padding-top:12px;border-top:1px solid var(--line)}
h3{font-size:15px;margin:16px 0 4px}
header p:last-child{margin:0}
.hypothesis{font-style:italic;color:var(--quiet)}
.checks{list-style:none;padding:0;margin:0 0 12px;display:grid;gap:4px}
.state{font-size:12px;border:1px solid currentColor;border-radius:9px;padding:0 8px}
.good .state,td .good{color:var(--good)}
.bad .state,td .bad{color:var(--bad)}
.open .state{color:var(--open)}
a{color:var(--open)}
.scroll{overflow-x:auto;margin:8px 0}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:6px 12px 6px 0;border-bottom:1px solid var(--line)}
th{color:var(--quiet);font-weight:600;white-space:nowrap}
td small{display:block}
pre{background:var(--panel);border:1px solid var(--line);border-radius:4px;padding:10px 12px;margin:8px 0;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,monospace}
svg{width:100%;height:auto;display:block;margin:8px 0}
svg text{fill:var(--text);font:13px system-ui,sans-serif;font-variant-numeric:tabular-nums}
svg .tick{fill:var(--quiet);font-size:11px}
svg .grid{stroke:var(--line)}
svg .zero{stroke:var(--quiet);stroke-width:1.5;stroke-dasharray:4 3}
svg .reach{stroke-width:3;stroke-linecap:round}
svg .good .reach{stroke:var(--good)}svg .good .point{fill:var(--good)}
svg .bad .reach{stroke:var(--bad)}svg .bad .point{fill:var(--bad)}
svg .open .reach{stroke:var(--open)}svg .open .point{fill:var(--open)}
svg .band{fill:var(--band)}
svg .held{fill:var(--band)}
svg .incident{fill:var(--bad)}
svg .course{fill:none;stroke:var(--open);stroke-width:2}
footer{margin-top:36px;border-top:1px solid var(--line);padding-top:12px;overflow-wrap:anywhere}
@media print{header,svg,tr{break-inside:avoid}}
`;
