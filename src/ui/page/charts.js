// Draws each chart of the page from the figures beside it. The tables of the page have the same figures, for people who cannot see
// charts and for browsers that run no script.
(() => {
  "use strict";
  const DAY = 86400;
  const count = (n) => Math.round(n).toLocaleString("en-US");
  const date = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  // Colours come from the style sheet at the time of drawing: light, dark or print.
  const colour = (name, alpha) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    return hex + (alpha || "");
  };
  const font = "12px system-ui, sans-serif";

  const axes = (x) => [
    {
      stroke: () => colour("quiet"),
      font,
      grid: { show: false },
      ticks: { stroke: () => colour("line"), width: 1, size: 4 },
      ...x,
    },
    {
      stroke: () => colour("quiet"),
      font,
      size: 58,
      space: 40,
      grid: { stroke: () => colour("line"), width: 1 },
      ticks: { show: false },
      incrs: [1, 2, 5].flatMap((n) => [...Array(9).keys()].map((power) => n * 10 ** power)).sort((a, b) => a - b),
      values: (_, splits) => splits.map(count),
    },
  ];
  const byDay = axes({
    space: 64,
    incrs: [1, 2, 7, 14, 28, 56, 112, 364].map((days) => days * DAY),
    values: (_, splits) => splits.map((at) => date(at).slice(5)),
  });
  const aboveZero = (most) => ({ range: (_, __, max) => [0, Math.max(1, most || 0, max || 0) * 1.05] });

  // A tooltip with the values at the pointer.
  const tooltip = (words) => {
    let tip;
    return {
      hooks: {
        init: (u) => {
          tip = document.createElement("div");
          tip.className = "tip";
          tip.hidden = true;
          u.over.append(tip);
        },
        setCursor: (u) => {
          const { idx, left } = u.cursor;
          const lines = left >= 0 && idx != null ? words(idx) : [];
          tip.hidden = lines.length === 0;
          if (tip.hidden) return;
          tip.replaceChildren(
            ...lines.map((line, n) => {
              const row = document.createElement(n === 0 ? "b" : "div");
              row.textContent = line;
              return row;
            }),
          );
          const at = u.valToPos(u.data[0][idx], "x");
          const room = u.over.clientWidth - tip.offsetWidth;
          tip.style.left = `${Math.max(0, Math.min(room, at > u.over.clientWidth / 2 ? at - tip.offsetWidth - 12 : at + 12))}px`;
        },
      },
    };
  };

  // Stacked bars: each is drawn from the axis up to its sum, the tallest first.
  const daily = ({ days, series }) => {
    const sums = [];
    series.reduce((below, { counts }, n) => (sums[n] = counts.map((c, day) => c + (below ? below[day] : 0))), null);
    const drawn = series.map((one, n) => ({ ...one, sums: sums[n] })).reverse();
    return {
      data: [days, ...drawn.map(({ sums }) => sums)],
      axes: byDay,
      scales: { x: { time: true, range: (_, min, max) => [min - DAY / 2, max + DAY / 2] }, y: aboveZero() },
      series: drawn.map(({ colour: name }) => ({
        fill: () => colour(name),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.8, 64, 1] }),
      })),
      words: (day) => [date(days[day]), ...series.map(({ name, counts }) => `${count(counts[day])} ${name}`)],
    };
  };

  const migrated = ({ days, soFar, likely, least, most, goal, closes }) => {
    const line = (name, more) => ({ stroke: () => colour(name), points: { show: false }, ...more });
    const mark = (u) => {
      if (closes == null) return;
      const { ctx, bbox } = u;
      const x = u.valToPos(closes, "x", true);
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.strokeStyle = colour("failed");
      ctx.fillStyle = colour("quiet");
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.font = font.replace("12", 12 * ratio);
      ctx.textAlign = x > bbox.left + bbox.width / 2 ? "right" : "left";
      ctx.fillText("window closes", x + (ctx.textAlign === "right" ? -6 : 6) * ratio, bbox.top + 36 * ratio);
      ctx.restore();
    };
    return {
      data: [days, soFar, likely, most, least, days.map(() => goal)],
      axes: byDay,
      scales: { x: { time: true }, y: aboveZero(goal) },
      series: [
        line("migrated", { width: 2.5, fill: () => colour("migrated", "26") }),
        line("migrated", { width: 2, dash: [5, 5] }),
        line("migrated", { width: 0 }),
        line("migrated", { width: 0 }),
        line("quiet", { width: 1, dash: [8, 4] }),
      ],
      bands: [{ series: [3, 4], fill: () => colour("migrated", "26") }],
      plugins: [{ hooks: { draw: mark } }],
      words: (day) => {
        const lines = [date(days[day])];
        if (soFar[day] != null) lines.push(`${count(soFar[day])} migrated`);
        else if (likely[day] != null) lines.push(`about ${count(likely[day])} migrated`, `at least ${count(least[day])}, at best ${count(most[day])}`);
        if (goal != null) lines.push(`of ${count(goal)}`);
        return lines;
      },
    };
  };

  const latency = ({ steps, counts }) => ({
    data: [steps.map((_, step) => step), counts],
    axes: axes({
      space: 16,
      size: 84,
      rotate: 50,
      splits: () => steps.map((_, step) => step),
      values: () => steps,
    }),
    scales: { x: { time: false, range: () => [-0.5, steps.length - 0.5] }, y: aboveZero() },
    series: [{ fill: () => colour("migrated"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 64, 1] }) }],
    words: (step) => [steps[step], `${count(counts[step])} answers`],
  });

  const kinds = { daily, migrated, latency };
  const plots = [];
  for (const chart of document.querySelectorAll(".chart")) {
    const figures = JSON.parse(chart.dataset.figures);
    const { data, words, plugins = [], series, ...options } = kinds[chart.dataset.kind](figures);
    const size = () => ({ width: Math.max(240, chart.clientWidth), height: 280 });
    const plot = new uPlot(
      {
        ...size(),
        ...options,
        series: [{}, ...series],
        plugins: [...plugins, tooltip(words)],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      },
      data,
      chart,
    );
    plots.push(plot);
    new ResizeObserver(() => {
      const { width, height } = size();
      if (width !== plot.width) plot.setSize({ width, height });
    }).observe(chart);
  }

  const redraw = () => plots.forEach((plot) => plot.redraw(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", redraw);
  // At `beforeprint` the print styles do not apply yet, so a class selects their colours.
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printed");
    redraw();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printed");
    redraw();
  });
})();
