// SPDX-License-Identifier: Apache-2.0
// The charts of a row, or of all: what it has done over time, and in words what it does now.

import uPlot from "uplot";
import { Chart, line } from "../charts";
import { el, millis, percent, rate } from "../dom";
import { Name, Numbers, Past, ratio } from "./api";

interface Figure {
	title: string;
	lines: { name: Name; label?: string; series: uPlot.Series; key?: string }[];
	format(value: number): string;
	range: uPlot.Range.MinMax | null;
	say(now: Numbers, past: Past): string;
}

const short = (value: number): string => String(+value.toPrecision(3));
const told = (value: number | null | undefined): string => value === null || value === undefined ? "not known" : rate(value);

const FIGURES = {
	rate: {
		title: "Requests a second", format: short, range: null,
		lines: [{ name: "rate_per_s", series: { ...line("--accent"), fill: line("--accent-wash").stroke as uPlot.Series.Fill, spanGaps: false } }],
		say: (now, past) => {
			const known = (past.rate_per_s ?? []).filter((v): v is number => v !== null);
			return `now ${told(now.rate_per_s)}${known.length ? `, from ${rate(Math.min(...known))} to ${rate(Math.max(...known))} lately` : ""}`;
		},
	},
	success: {
		title: "Success", format: (v) => `${v}%`, range: [0, 101], lines: [{ name: "success_percent", series: line("--good") }],
		say: (now) => percent(ratio(now)),
	},
	errors: {
		title: "Errors a second", format: short, range: null,
		lines: [{ name: "client_errors_per_s", label: "4xx", series: line("--q4"), key: "q4" }, { name: "server_errors_per_s", label: "5xx", series: line("--q5"), key: "q5" }],
		say: (now) => `4xx ${told(now.client_errors_per_s)}, 5xx ${told(now.server_errors_per_s)}`,
	},
	latency: {
		title: "Latency, ms", format: short, range: null,
		lines: [{ name: "p50_ms", label: "p50", series: line("--q1", 1.5), key: "q1" }, { name: "p95_ms", label: "p95", series: line("--q2", 1.5), key: "q2" },
			{ name: "p99_ms", label: "p99", series: line("--q5", 1.5), key: "q5" }],
		say: (now) => `p50 ${millis(now.p50_ms ?? null)}, p95 ${millis(now.p95_ms ?? null)}, p99 ${millis(now.p99_ms ?? null)}`,
	},
} satisfies Record<string, Figure>;

export type FigureName = keyof typeof FIGURES;

export class Figures {
	readonly node = el("div", { class: "figures" });
	private places = new Map<FigureName, HTMLElement>();
	private charts: Chart[] = [];
	private times: number[] = [];
	private past: Past = {};

	constructor(names: FigureName[]) {
		for (const name of names) {
			const figure: Figure = FIGURES[name], place = el("div", { role: "img", class: "chart" }), several = figure.lines.length > 1;
			const key = el("span", { class: "key" }, ...figure.lines.map((l) => el("span", { class: l.key ?? "" }, l.label ?? "")));
			this.places.set(name, place);
			this.node.append(el("figure", {}, el("figcaption", {}, figure.title, ...(several ? [key] : [])), place));
		}
	}

	update(now: Numbers, times_ms: number[], past: Past): void {
		this.times = times_ms.map((t) => t / 1000);
		this.past = past;
		for (const [name, place] of this.places) {
			const figure: Figure = FIGURES[name];
			place.setAttribute("aria-label", `${figure.title}: ${figure.say(now, past)}`);
			if (this.charts.length < this.places.size) {
				const data = (): uPlot.AlignedData => [this.times, ...figure.lines.map((l) => this.past[l.name] ?? this.times.map(() => null))];
				this.charts.push(new Chart(place, data, figure.lines.map((l) => l.series), figure.format, figure.range));
			}
		}
		this.charts.forEach((chart) => chart.update());
	}

	end(): void {
		this.charts.forEach((chart) => chart.end());
	}
}
