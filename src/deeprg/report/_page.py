"""The style sheet of report pages."""

__all__ = ["PAGE_STYLE"]

PAGE_STYLE = """
:root { --ink: #1f2933; --muted: #69788a; --line: #e4e8ed; --paper: #ffffff; --back: #f5f7f9;
  --accent: #2563a8; --good: #2e7d4f; --bad: #b3261e; --note: #b7791f; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
header { margin-bottom: 24px; }
.eyebrow { margin: 0; color: var(--accent); font-size: 12px; font-weight: 600; letter-spacing: .08em;
  text-transform: uppercase; }
h1 { margin: 2px 0 6px; font-size: 28px; line-height: 1.2; }
.subtitle { margin: 0; color: var(--muted); }
h2 { margin: 0 0 16px; font-size: 18px; } h3 { margin: 22px 0 4px; font-size: 15px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 22px 26px;
  margin-top: 20px; overflow-x: auto; }
.verdict { background: var(--paper); border: 1px solid var(--line); border-left: 6px solid var(--note);
  border-radius: 10px; padding: 18px 26px; }
.verdict.good { border-left-color: var(--good); } .verdict.bad { border-left-color: var(--bad); }
.headline { margin: 0; font-size: 18px; font-weight: 650; }
.verdict.good .headline { color: var(--good); } .verdict.bad .headline { color: var(--bad); }
.verdict ul { list-style: none; margin: 14px 0 0; padding: 14px 0 0; border-top: 1px solid var(--line); }
.verdict li { margin: 8px 0; padding-left: 16px; border-left: 3px solid var(--note); }
.verdict li.problem { border-left-color: var(--bad); }
.verdict li span { display: block; color: var(--muted); font-size: 14px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 14px; }
.tiles div { background: var(--back); border-radius: 8px; padding: 10px 14px; }
.tiles small { display: block; color: var(--muted); font-size: 12.5px; }
.tiles strong { display: block; font-size: 24px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles em { display: block; color: var(--muted); font-size: 12.5px; font-style: normal; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.results { width: 100%; }
.results th, .results td { padding: 7px 0 7px 18px; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
.results th:first-child { padding-left: 0; text-align: left; font-weight: 500; }
.results thead th { color: var(--muted); font-size: 12.5px; font-weight: 500; }
.results td.pm { padding-left: 8px; color: var(--muted); }
.pairs { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); column-gap: 44px; margin: 0; }
.pairs div { display: flex; justify-content: space-between; gap: 18px; padding: 4px 0;
  border-bottom: 1px solid var(--line); }
.pairs dt { color: var(--muted); white-space: nowrap; }
.pairs dd { margin: 0; text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.pairs div.wide { grid-column: 1 / -1; } .pairs div.wide dd { text-align: left; flex: 1; }
.caption { margin: 8px 0 20px; color: var(--muted); font-size: 13px; }
figcaption { margin: 8px 0 0; color: var(--muted); font-size: 13px; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 26px; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; }
figure.wide img { width: auto; max-width: 100%; margin: 0 auto; }
.citations { margin: 0 0 12px; padding-left: 20px; }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--accent); }
pre { background: var(--back); border-radius: 8px; padding: 14px; overflow-x: auto; font-size: 12.5px; }
@media (max-width: 800px) { .pairs, .grid { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(2, 1fr); } }
@media print { body { background: white; } section, .verdict { break-inside: avoid; } }
"""
