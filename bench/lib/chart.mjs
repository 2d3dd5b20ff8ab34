// Draws charts as SVG, for light and dark mode.
const WIDTH = 760;
const SIZE = 12;
const STYLE = `
  svg { font: ${SIZE}px system-ui, sans-serif; --paper: #fff; --ink: #1f2328; --faint: #d1d9e0;
    --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #9a6700; --c6: #57606a; --c7: #0a7b83 }
  @media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --faint: #3d444d;
    --c0: #58a6ff; --c1: #f0883e; --c2: #56d364; --c3: #bc8cff; --c4: #ff7bc4; --c5: #e3b341; --c6: #9ea7b3; --c7: #56d4dd } }
  text { fill: var(--ink) } .title { font-weight: 600; font-size: 14px } .grid { stroke: var(--faint); stroke-width: 1 }
  polyline { fill: none; stroke-width: 2 }`;

const escaped = (text) => String(text).replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
const text = (x, y, content, more = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(content)}</text>`;
const colour = (i) => `var(--c${i % 8})`;
const short = (value) =>
  value >= 10_000 ? `${Math.round(value / 1000)}k` : String(Number(value.toPrecision(value >= 100 ? 4 : 3)));
/** Estimates the width of a label when drawn. */
const widthOf = (label) => String(label).length * SIZE * 0.56;

/** Returns the round numbers to mark on an axis, and a function from values to positions between 0 and 1. */
function scaleOf(values, log) {
  const most = Math.max(...values, 1e-9);
  if (log) {
    const [low, high] = [Math.min(...values.filter((each) => each > 0), most), most].map(Math.log10);
    const [from, to] = [Math.floor(low - 1e-9), Math.max(Math.ceil(high), Math.floor(low) + 1)];
    const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
    return { ticks, at: (value) => (value > 0 ? Math.max(0, (Math.log10(value) - from) / (to - from)) : 0) };
  }
  const step = [1, 2, 2.5, 5, 10]
    .map((each) => each * 10 ** Math.floor(Math.log10(most / 4)))
    .find((each) => each * 5 >= most);
  const ticks = Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
  return { ticks, at: (value) => value / ticks.at(-1) };
}

/** Draws `{ title, unit, kind: 'bars' | 'lines', log?, x?, series: [{ name, values }] }` as an SVG file. */
export function chart({ title, unit, kind, log = false, x, series }) {
  const labels = x ?? series[0].values.map((_, i) => i + 1);
  const scale = scaleOf(
    series.flatMap(({ values }) => values.filter(Number.isFinite)),
    log,
  );
  const { height, marks, top } = kind === 'bars' ? bars(labels, series, scale) : lines(labels, series, scale);
  const { legend, rows } = legendOf(series);
  const head = 34 + rows * 18;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${head + height}" width="${WIDTH}" height="${head + height}" role="img">
<title>${escaped(title)}</title><style>${STYLE}</style>
<rect width="100%" height="100%" fill="var(--paper)"/>
${text(12, 22, `${title} (${unit}${log ? ', logarithmic' : ''})`, 'class="title"')}
${legend}
<g transform="translate(0 ${head - top})">${marks.join('\n')}</g>
</svg>
`;
}

function legendOf(series) {
  let [left, row] = [12, 0];
  const parts = series.map(({ name }, i) => {
    const width = widthOf(name) + 28;
    if (left + width > WIDTH - 12) [left, row] = [12, row + 1];
    const y = 42 + row * 18;
    const part = `<rect x="${left}" y="${y - 9}" width="10" height="10" rx="2" fill="${colour(i)}"/>${text(left + 15, y, name)}`;
    left += width;
    return part;
  });
  return series.length > 1 ? { legend: parts.join('\n'), rows: row + 1 } : { legend: '', rows: 0 };
}

function bars(labels, series, { ticks, at }) {
  const left = 20 + Math.min(400, Math.max(...labels.map(widthOf)));
  const right = WIDTH - 60;
  const [thick, gap] = [series.length > 3 ? 9 : 13, 10];
  const group = series.length * (thick + 1) + gap;
  const bottom = labels.length * group + 6;
  const place = (value) => left + at(value) * (right - left);
  return {
    top: 0,
    height: bottom + 28,
    marks: [
      ...ticks.flatMap((tick) => [
        `<line class="grid" x1="${place(tick)}" x2="${place(tick)}" y1="2" y2="${bottom}"/>`,
        text(place(tick), bottom + 16, short(tick), 'text-anchor="middle"'),
      ]),
      ...labels.flatMap((label, i) => [
        text(left - 8, 6 + i * group + (group - gap) / 2 + 4, label, 'text-anchor="end"'),
        ...series.flatMap(({ values }, n) => {
          if (!Number.isFinite(values[i])) return [];
          const y = 6 + i * group + n * (thick + 1);
          const width = Math.max(1, place(values[i]) - left);
          return [
            `<rect x="${left}" y="${y}" width="${width.toFixed(1)}" height="${thick}" fill="${colour(n)}"/>`,
            text(left + width + 4, y + thick - 0.5, short(values[i]), `font-size="${Math.min(SIZE, thick + 1)}"`),
          ];
        }),
      ]),
    ],
  };
}

function lines(labels, series, { ticks, at }) {
  const [left, right, bottom] = [64, WIDTH - 24, 260];
  const across = (i) => left + (labels.length > 1 ? i / (labels.length - 1) : 0.5) * (right - left);
  const up = (value) => bottom - at(value) * (bottom - 10);
  const every = Math.ceil(labels.length / 12);
  return {
    top: 0,
    height: bottom + 30,
    marks: [
      ...ticks.flatMap((tick) => [
        `<line class="grid" x1="${left}" x2="${right}" y1="${up(tick)}" y2="${up(tick)}"/>`,
        text(left - 8, up(tick) + 4, short(tick), 'text-anchor="end"'),
      ]),
      ...labels.flatMap((label, i) => (i % every ? [] : [text(across(i), bottom + 18, label, 'text-anchor="middle"')])),
      ...series.flatMap(({ values }, n) => {
        const points = values.flatMap((value, i) => (Number.isFinite(value) ? [[across(i), up(value)]] : []));
        const dots = points.length > 40 ? [] : points;
        return [
          `<polyline stroke="${colour(n)}" points="${points.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(' ')}"/>`,
          ...dots.map(([a, b]) => `<circle cx="${a.toFixed(1)}" cy="${b.toFixed(1)}" r="3" fill="${colour(n)}"/>`),
        ];
      }),
    ],
  };
}
