// SPDX-License-Identifier: Apache-2.0
// Sparklines for rows, and uPlot for what is opened.

import uPlot from "uplot";
import { svg } from "./dom";
import { History, QUANTILES, Series, Store } from "./store";

const WIDTH = 112, HEIGHT = 26;

export class Spark {
	readonly node: SVGSVGElement;
	private line = svg("path", { class: "spark-line" });
	private area = svg("path", { class: "spark-area" });

	constructor() {
		this.node = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, class: "spark", "aria-hidden": "true" },
			this.area, this.line);
	}

	draw(values: number[]): void {
		if (values.length < 2) return;
		const top = Math.max(1e-9, ...values), step = WIDTH / Math.max(19, values.length - 1), left = WIDTH - step * (values.length - 1);
		const points = values.map((v, i) => `${(left + i * step).toFixed(1)},${(HEIGHT - 2 - v / top * (HEIGHT - 5)).toFixed(1)}`);
		this.line.setAttribute("d", `M${points.join("L")}`);
		this.area.setAttribute("d", `M${points.join("L")}L${WIDTH},${HEIGHT}L${left.toFixed(1)},${HEIGHT}Z`);
	}
}

function colour(name: string): string {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axes(format: (value: number) => string): uPlot.Axis[] {
	const common = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false },
		font: "11px system-ui, sans-serif" };
	const clock = (v: number): string => new Date(v * 1000).toTimeString().slice(0, 8);
	return [{ ...common, grid: { show: false }, space: 80, size: 28, values: (u, ticks) => u.data[0].length < 2 ? ticks.map(() => "") : ticks.map(clock) }, { ...common, size: 58, space: 32, values: (_, ticks) => ticks.map(format) }];
}

export class Chart {
	private plot: uPlot;
	private watcher: ResizeObserver;

	constructor(parent: HTMLElement, private data: () => uPlot.AlignedData, series: uPlot.Series[], format: (v: number) => string,
		range: uPlot.Range.MinMax | null) {
		const options: uPlot.Options = {
			width: Math.max(240, parent.clientWidth), height: 160, padding: [8, 30, 6, 0], legend: { show: false }, cursor: { drag: { x: false, y: false } },
			series: [{}, ...series], axes: axes(format),
			scales: { y: { range: range ?? ((_u, _low, high) => [0, high ? Math.max(high, 0.001) * 1.1 : 1]) } },
		};
		this.plot = new uPlot(options, data(), parent);
		this.watcher = new ResizeObserver(() => this.plot.setSize({ width: Math.max(200, parent.clientWidth), height: 160 }));
		this.watcher.observe(parent);
	}

	update(): void {
		this.plot.setData(this.data());
	}

	end(): void {
		this.watcher.disconnect();
		this.plot.destroy();
	}
}

// A line in the colour of a variable of the stylesheet.
export function line(name: string, width = 1.75): uPlot.Series {
	return { stroke: () => colour(name), width, points: { show: false }, spanGaps: true };
}

const LATENCY_COLOURS = ["--q1", "--q2", "--q3", "--q4", "--q5"];

export class Charts {
	private charts: Chart[] = [];

	constructor(store: Store, series: Series, places: { rate: HTMLElement; success: HTMLElement; latency: HTMLElement }) {
		const data = (scale: number, ...histories: History[]): uPlot.AlignedData => {
			const many = Math.min(series.times, store.times.length);
			return [store.times.slice(store.times.length - many), ...histories.map((h) => h.list(many).map((v) => Number.isNaN(v) ? null : v * scale))];
		};
		this.charts.push(
			new Chart(places.rate, () => data(1, series.rates), [{ ...line("--accent"), fill: () => colour("--accent-wash") }],
				(v) => String(+v.toPrecision(3)), null),
			new Chart(places.success, () => data(100, series.successes), [line("--good")], (v) => `${v}%`, [0, 101]),
			new Chart(places.latency, () => data(1, ...series.latencies),
				QUANTILES.map((_, i) => line(LATENCY_COLOURS[i]!, 1.5)), (v) => `${+v.toPrecision(3)}`, null));
	}

	update(): void {
		this.charts.forEach((chart) => chart.update());
	}

	end(): void {
		this.charts.forEach((chart) => chart.end());
	}
}

