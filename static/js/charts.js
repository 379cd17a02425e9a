// Draws every [data-chart] from the JSON beside it. ECharts is fetched only where a page has a chart; texts are text,
// never HTML, so that no name of an item can become markup, and no inline style is needed.
(() => {
  const script = document.currentScript;
  const { locale, numbers } = JSON.parse(script.dataset.words);
  const dates = locale === "en" ? "en-GB" : locale; // day before month, as everywhere on these pages
  let loading;
  const load = () => loading ??= new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = script.dataset.charts;
    tag.onload = () => resolve(window.echarts);
    tag.onerror = reject;
    document.head.append(tag);
  });

  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--sw-${name}`).trim();
  const palette = () => ({
    ink: variable("ink"), soft: variable("ink-soft"), faint: variable("ink-faint"), line: variable("line"), strong: variable("line-strong"),
    surface: variable("raised"), ground: variable("surface"),
    primary: variable("accent"), good: variable("good"), warning: variable("warn"), danger: variable("bad"),
    azure: variable("azure"), purple: variable("purple"), muted: variable("ink-faint"),
  });
  const ORDER = ["primary", "azure", "warning", "purple", "muted", "good", "danger"];

  const plain = (most) => new Intl.NumberFormat(numbers, { maximumFractionDigits: most });
  function formatter(unit = "") {
    if (unit === "share") {
      const percent = new Intl.NumberFormat(numbers, { style: "percent", maximumFractionDigits: 1 });
      return (value) => percent.format(value);
    }
    if (unit.startsWith("money:")) {
      const amount = new Intl.NumberFormat(numbers, { style: "currency", currency: unit.slice(6), maximumFractionDigits: 0 });
      return (value) => amount.format(value);
    }
    return (value) => plain(Math.abs(value) < 10 ? 1 : 0).format(value);
  }
  function short(unit = "") {
    if (unit === "share") return formatter(unit);
    const amount = unit.startsWith("money:") ? { style: "currency", currency: unit.slice(6) } : {};
    const compact = new Intl.NumberFormat(numbers, { notation: "compact", maximumFractionDigits: 1, ...amount });
    return (value) => compact.format(value);
  }
  const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text);
  const dayName = new Intl.DateTimeFormat(dates, { day: "numeric", month: "short", timeZone: "UTC" });
  const longDay = new Intl.DateTimeFormat(dates, { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const label = (text, style = dayName) => (isDay(String(text)) ? style.format(new Date(`${text}T00:00:00Z`)) : String(text));

  function frame(colours, unit) {
    return {
      animationDuration: 300, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colours.soft },
      aria: { enabled: false },
      grid: { left: 4, right: 16, top: 36, bottom: 8, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 8, icon: "roundRect", textStyle: { color: colours.soft, fontSize: 12 } },
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.strong, padding: [8, 12], textStyle: { color: colours.ink, fontSize: 12, lineHeight: 18 }, axisPointer: { lineStyle: { color: colours.strong }, crossStyle: { color: colours.strong }, shadowStyle: { opacity: 0.08 } } },
      yAxis: { type: "value", axisLabel: { color: colours.faint, hideOverlap: true, formatter: short(unit) }, splitLine: { lineStyle: { color: colours.line } } },
    };
  }
  const category = (data, colours) => ({ type: "category", data: data.x, boundaryGap: true, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.strong } }, axisLabel: { color: colours.faint, hideOverlap: true, formatter: (text) => label(text) } });

  function marks(data, colours) {
    const marks = {};
    if (data.markers?.length) marks.markLine = {
      silent: true, symbol: "none", lineStyle: { color: colours.soft, type: "dashed" },
      label: { color: colours.soft, fontSize: 11, formatter: (item) => item.name },
      data: data.markers.map((marker) => ({ xAxis: marker.x, name: marker.label, lineStyle: marker.tone ? { color: colours[marker.tone] } : undefined, label: marker.tone ? { color: colours[marker.tone] } : undefined })),
    };
    return marks;
  }

  // Spans of one label are one shade with its name in the legend; each fills the whole width of its steps.
  function shades(data, colours) {
    const spans = data.spans || [];
    return [...new Set(spans.map((span) => span.label))].map((name) => {
      const ones = spans.filter((span) => span.label === name);
      const colour = colours[ones[0].tone || "danger"];
      return {
        name, type: "custom", silent: true, z: 0, tooltip: { show: false }, itemStyle: { color: colour, opacity: 0.4 }, encode: { x: [0, 1], y: -1 },
        data: ones.map((span) => [data.x.indexOf(span.from), data.x.indexOf(span.to)]),
        renderItem: (params, api) => {
          const [left, right] = [0, 1].map((end) => api.coord([api.value(end), 0])[0]);
          const step = api.size([1, 0])[0];
          return { type: "rect", shape: { x: left - step / 2, width: right - left + step, y: params.coordSys.y, height: params.coordSys.height }, style: { fill: colour, opacity: 0.1 } };
        },
      };
    });
  }

  function lines(data, colours, kind) {
    const format = formatter(data.unit);
    const series = [];
    (data.bands || []).forEach((band, n) => {
      const colour = colours[band.tone || "primary"];
      const shared = { type: "line", stack: `band${n}`, stackStrategy: "all", symbol: "none", silent: true, lineStyle: { opacity: 0 }, z: 1 };
      series.push({ ...shared, name: `${band.name} low`, data: band.low, isBand: true });
      series.push({ ...shared, name: band.name, data: band.high.map((high, m) => (high === null ? null : high - band.low[m])), areaStyle: { color: colour, opacity: band.opacity ?? 0.14 }, itemStyle: { color: colour, opacity: 0.4 } });
    });
    data.series.forEach((one, n) => {
      const colour = colours[one.tone || ORDER[n % ORDER.length]];
      const isBar = kind === "bars" ? one.style !== "line" : one.style === "bars";
      series.push({
        name: one.name, data: one.values, type: isBar ? "bar" : "line", z: isBar ? 2 : 3, stack: one.stack, itemStyle: { color: colour, borderRadius: isBar ? 2 : 0 }, barMaxWidth: 28,
        showSymbol: one.style === "points" || one.values.filter((value) => value !== null).length === 1, symbolSize: 5, connectNulls: false, step: one.style === "step" ? "end" : false,
        lineStyle: isBar ? undefined : { color: colour, width: one.style === "muted" ? 1.2 : 2, type: one.style === "dashed" ? "dashed" : "solid" }, areaStyle: one.style === "area" ? { color: colour, opacity: 0.12 } : undefined,
        emphasis: { disabled: true },
      });
    });
    Object.assign(series[series.length - 1] || {}, marks(data, colours));
    series.push(...shades(data, colours));
    const option = frame(colours, data.unit);
    const hidden = new Set(series.filter((one) => one.isBand).map((one) => one.name));
    option.legend.data = series.filter((one) => !hidden.has(one.name)).map((one) => one.name);
    option.legend.show = option.legend.data.length > 1;
    option.xAxis = category(data, colours);
    if (!option.legend.show) option.grid.top = data.markers?.length ? 22 : 12;
    option.series = series.map(({ isBand, ...rest }) => rest);
    option.tooltip.formatter = (points) => {
      const n = points[0].dataIndex;
      const rows = [label(data.x[n], longDay)];
      data.series.forEach((one) => { if (one.values[n] !== null && one.values[n] !== undefined) rows.push(`${one.name}: ${format(one.values[n])}`); });
      (data.spans || []).forEach((span) => { if (data.x.indexOf(span.from) <= n && n <= data.x.indexOf(span.to)) rows.push(span.label); });
      (data.bands || []).forEach((band) => { if (band.low[n] !== null) rows.push(`${band.name}: ${format(band.low[n])} – ${format(band.high[n])}`); });
      return rows.join("\n");
    };
    if (kind === "bars" && data.horizontal) {
      [option.xAxis, option.yAxis] = [option.yAxis, { ...option.xAxis, inverse: true, axisLabel: { ...option.xAxis.axisLabel, width: 130, overflow: "truncate" } }];
    }
    return option;
  }

  const NARROW_STEP = 64; // pixels below which labels of steps do not stand beside each other

  function waterfall(data, colours, room) {
    const format = formatter(data.unit);
    let level = 0;
    const base = [], rise = [], fall = [], total = [];
    data.steps.forEach((step) => {
      const isTotal = step.kind === "total";
      const from = isTotal ? 0 : level;
      const to = isTotal ? step.value : level + step.value;
      level = to;
      // A bar that crosses zero is drawn in two halves by the sign of its ends.
      base.push([from, to, isTotal ? 2 : step.value < 0 ? 1 : 0]);
    });
    const option = frame(colours, data.unit);
    option.legend.show = false;
    option.grid.top = 24;
    option.grid.bottom = 24; // room for a label of two lines
    option.xAxis = { ...category({ x: data.steps.map((step) => step.label) }, colours) };
    const slanted = room / data.steps.length < NARROW_STEP;
    const placed = slanted ? { rotate: 45, width: 110, overflow: "truncate" } : { width: 92, overflow: "break", lineHeight: 14 };
    if (slanted) option.grid.bottom = 0; // what is slanted is counted in already
    option.xAxis.axisLabel = { ...option.xAxis.axisLabel, interval: 0, hideOverlap: false, ...placed };
    option.tooltip.trigger = "item";
    option.tooltip.formatter = (point) => [data.steps[point.dataIndex].label, format(data.steps[point.dataIndex].value), data.steps[point.dataIndex].note || ""].filter(Boolean).join("\n");
    option.series = [{
      type: "custom", encode: { x: 0, y: [1, 2] }, data: base.map((each, n) => [n, ...each]),
      renderItem: (_, api) => {
        const start = api.coord([api.value(0), api.value(1)]), end = api.coord([api.value(0), api.value(2)]);
        const width = Math.min(64, api.size([1, 0])[0] * 0.62);
        const colour = [colours.primary, colours.warning, colours.soft][api.value(3)];
        const step = data.steps[api.value(0)];
        const top = Math.min(start[1], end[1]), height = Math.max(2, Math.abs(start[1] - end[1]));
        const children = [
          { type: "rect", shape: { x: start[0] - width / 2, y: top, width, height, r: 3 }, style: { fill: colour } },
          { type: "text", style: { text: `${step.kind !== "total" && step.value > 0 ? "+" : ""}${format(step.value)}`, x: start[0], y: top - 5, align: "center", verticalAlign: "bottom", fill: colours.ink, font: `600 12px ${getComputedStyle(document.body).fontFamily}` } },
        ];
        if (api.value(0) < data.steps.length - 1) {
          const next = api.coord([api.value(0) + 1, api.value(2)]);
          children.push({ type: "line", shape: { x1: start[0] + width / 2, y1: end[1], x2: next[0] - width / 2, y2: end[1] }, style: { stroke: colours.strong, lineDash: [3, 3] } });
        }
        return { type: "group", children };
      },
    }];
    return option;
  }

  function calibration(data, colours) {
    const format = formatter("share");
    const option = frame(colours, "share");
    const axis = { type: "value", min: 0, max: 1, axisLabel: { color: colours.faint, formatter: format }, splitLine: { lineStyle: { color: colours.line } } };
    option.xAxis = { ...axis, name: data.x_label || "", nameLocation: "middle", nameGap: 28, nameTextStyle: { color: colours.faint } };
    option.yAxis = { ...option.yAxis, ...axis };
    option.grid.bottom = data.x_label ? 24 : 4;
    option.tooltip.trigger = "item";
    option.tooltip.formatter = (point) => `${point.seriesName}\n${format(point.value[0])} → ${format(point.value[1])}`;
    option.series = [
      { type: "line", data: [[0, 0], [1, 1]], symbol: "none", silent: true, lineStyle: { color: colours.strong, type: "dashed", width: 1 }, tooltip: { show: false } },
      ...data.series.map((one, n) => ({ name: one.name, type: "line", data: one.points, symbolSize: 8, symbol: "circle", itemStyle: { color: colours[one.tone || ORDER[n % ORDER.length]] }, lineStyle: { width: 2 } })),
    ];
    return option;
  }

  function heatmap(data, colours) {
    const format = formatter(data.unit);
    const cells = data.values.flatMap((row, y) => row.map((value, x) => [x, y, value])).filter((cell) => cell[2] !== null);
    const known = cells.map((cell) => cell[2]);
    const option = frame(colours, data.unit);
    option.legend.show = false;
    option.grid = { ...option.grid, top: 8, bottom: 40 };
    const axis = { type: "category", axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: colours.faint, formatter: (text) => label(text) }, splitArea: { show: false } };
    option.xAxis = { ...axis, data: data.x };
    option.yAxis = { ...axis, data: data.y, inverse: true };
    option.visualMap = { min: data.min ?? Math.min(...known), max: data.max ?? Math.max(...known), calculable: false, orient: "horizontal", left: 0, bottom: 0, itemHeight: 90, itemWidth: 10, textStyle: { color: colours.soft }, formatter: format, inRange: { color: [colours.line, colours[data.tone || "primary"]] } };
    option.tooltip.trigger = "item";
    option.tooltip.formatter = (point) => `${label(data.y[point.value[1]])}\n${label(data.x[point.value[0]])}: ${format(point.value[2])}`;
    option.series = [{ type: "heatmap", data: cells, itemStyle: { borderColor: colours.ground, borderWidth: 2, borderRadius: 3 } }];
    return option;
  }

  const KINDS = { line: (data, colours) => lines(data, colours, "line"), bars: (data, colours) => lines(data, colours, "bars"), waterfall, calibration, heatmap };

  // By how much a legend that wraps on a narrow screen is higher than one line.
  function moreLegend(option, width) {
    if (option.legend.show === false) return 0;
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `12px ${option.textStyle.fontFamily}`;
    let more = 0, filled = 0;
    (option.legend.data || option.series.map((one) => one.name).filter(Boolean)).forEach((name) => {
      const wide = pen.measureText(name).width + 34;
      if (filled && filled + wide > width) { more += 17; filled = 0; }
      filled += wide;
    });
    return more;
  }

  function draw(echarts, element) {
    const data = JSON.parse(document.getElementById(element.dataset.source).textContent);
    const chart = echarts.getInstanceByDom(element) || echarts.init(element, null, { renderer: "canvas" });
    const own = (element.dataset.height ||= element.clientHeight);
    let width = 0;
    const render = () => {
      width = element.clientWidth;
      const option = KINDS[element.dataset.chart](data, palette(), width);
      const more = moreLegend(option, width);
      option.grid.top += more;
      element.style.height = `${Number(own) + more}px`;
      chart.resize();
      chart.setOption(option, true);
    };
    render();
    if (!element.dataset.drawn) new ResizeObserver(() => { if (element.clientWidth !== width) render(); }).observe(element);
    element.dataset.drawn = "yes";
  }
  async function drawAll(root) {
    const found = [...root.querySelectorAll("[data-chart]:not([data-drawn])")];
    if (!found.length) return;
    const echarts = await load();
    found.forEach((element) => draw(echarts, element));
  }
  drawAll(document);
  document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));
  document.addEventListener("theme", async () => {
    const drawn = [...document.querySelectorAll("[data-drawn]")];
    if (drawn.length) { const echarts = await load(); drawn.forEach((element) => draw(echarts, element)); }
  });
})();
