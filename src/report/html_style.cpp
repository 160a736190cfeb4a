#include "report/html_parts.h"

namespace convoy::report {

// Text on its ground has a contrast of 4.5 or more in both schemes, marks of 3 or more. Sides differ by dashes too, verdicts
// by a sign and a word.
const char* const page_style = R"(
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f6f5f1; --ink: #1b1b1a; --soft: #55544f; --line: #d9d7cf;
  --good: #17693a; --bad: #b3261e; --doubt: #8a5a00; --s0: #1f62b4; --s1: #b4520a; --s2: #0f766e; --s3: #7e22ce;
  --s4: #be185d; --s5: #57534e; --p0: #b4520a; --p1: #1f62b4; --p2: #be185d; --p3: #57786b; }
@media (prefers-color-scheme: dark) { :root { --ground: #161615; --panel: #21211f; --ink: #ecebe6; --soft: #b4b2a9;
  --line: #3d3c38; --good: #6fce93; --bad: #ff8f85; --doubt: #e9b95c; --s0: #78b0f2; --s1: #f0a262; --s2: #5fd0c2;
  --s3: #cfa2ff; --s4: #f695c0; --s5: #c9c5bd; --p0: #f0a262; --p1: #78b0f2; --p2: #f695c0; --p3: #8fb5a6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; max-width: 60rem; }
code { font: .9em ui-monospace, monospace; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .85rem; }
.banner { background: var(--panel); border-left: .4rem solid var(--soft); padding: 1rem 1.25rem; border-radius: .25rem; }
.banner.good { border-color: var(--good); } .banner.bad { border-color: var(--bad); }
.banner.doubt { border-color: var(--doubt); }
.wide .good, .wide .bad, .wide .doubt { font-weight: 600; display: inline-block; min-width: 6.5rem; }
.wide .good, .banner.good strong { color: var(--good); } .wide .bad, .banner.bad strong { color: var(--bad); }
.wide .doubt, .banner.doubt strong { color: var(--doubt); }
.wide { overflow-x: auto; } .wide:focus-visible { outline: 2px solid var(--s0); }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem 1.1rem .35rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; }
td small, th small { display: block; color: var(--soft); }
td, tbody th { overflow-wrap: break-word; min-width: 5rem; max-width: 26rem; } .num { white-space: nowrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem 2rem; }
figure { margin: 0; break-inside: avoid; } figcaption { color: var(--soft); font-size: .9rem; }
figcaption b { display: block; color: var(--ink); }
svg { display: block; width: 100%; max-width: 38rem; height: auto; }
svg text { fill: var(--soft); font: 12.5px system-ui, sans-serif; } svg .label { fill: var(--ink); }
.grid { stroke: var(--line); } .axis, .tick { stroke: var(--soft); }
.side { font-weight: 700; } svg .letter { font-weight: 700; }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
polyline.s1 { stroke-dasharray: 7 3; } polyline.s2 { stroke-dasharray: 2 3; } polyline.s3 { stroke-dasharray: 9 3 2 3; }
polyline.s4 { stroke-dasharray: 4 4; } polyline.s5 { stroke-dasharray: 12 3; }
.median { stroke: var(--ink); stroke-width: 2; } .interval { stroke: var(--ink); fill: none; stroke-width: 1.6; }
@media (max-width: 40rem) { body { font-size: 15px; } main { padding: 1rem .9rem 2rem; } svg text { font-size: 14px; } }
@media print { :root { --ground: #ffffff; --panel: #ffffff; --ink: #000000; --soft: #44443f; --line: #bbbbb5;
  --good: #17693a; --bad: #b3261e; --doubt: #8a5a00; --s0: #1f62b4; --s1: #b4520a; --s2: #0f766e; --s3: #7e22ce;
  --s4: #be185d; --s5: #57534e; --p0: #b4520a; --p1: #1f62b4; --p2: #be185d; --p3: #57786b; }
  html { font-size: 12px; } body { font-size: 12px; } main { max-width: none; padding: 0; } .wide { overflow: visible; }
  tr { break-inside: avoid; } h2 { break-after: avoid; } .figures { grid-template-columns: 1fr 1fr; } }
.side.s0 { color: var(--s0); } polyline.s0 { stroke: var(--s0); } svg .s0:not(polyline) { fill: var(--s0); }
.side.s1 { color: var(--s1); } polyline.s1 { stroke: var(--s1); } svg .s1:not(polyline) { fill: var(--s1); }
.side.s2 { color: var(--s2); } polyline.s2 { stroke: var(--s2); } svg .s2:not(polyline) { fill: var(--s2); }
.side.s3 { color: var(--s3); } polyline.s3 { stroke: var(--s3); } svg .s3:not(polyline) { fill: var(--s3); }
.side.s4 { color: var(--s4); } polyline.s4 { stroke: var(--s4); } svg .s4:not(polyline) { fill: var(--s4); }
.side.s5 { color: var(--s5); } polyline.s5 { stroke: var(--s5); } svg .s5:not(polyline) { fill: var(--s5); }
.p0 { fill: var(--p0); color: var(--p0); } .p1 { fill: var(--p1); color: var(--p1); } .p2 { fill: var(--p2); color: var(--p2); } .p3 { fill: var(--p3); color: var(--p3); }
)";

}  // namespace convoy::report
