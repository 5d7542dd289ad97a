// SPDX-License-Identifier: Apache-2.0
// The counters over time: each scope's last samples, and what follows from their differences.

import { Metrics } from "./api";

export const KEPT = 120; // samples: four minutes at two seconds
const WINDOW = 5; // samples that a shown rate is taken over
export const QUANTILES = ["p50", "p95", "p99", "p9990", "max"] as const;

export class Series {
	readonly times: number[] = [];
	readonly rates: number[] = [];
	readonly successes: (number | null)[] = [];
	readonly latencies: (number | null)[][] = QUANTILES.map(() => []);
	private counts: { at: number; requests: number; success: number; failures: number }[] = [];

	constructor(readonly router: string, readonly kind: string, readonly name: string, readonly scope: string) {}

	add(at: number, metrics: Metrics): void {
		const now = {
			at, requests: metrics[`${this.scope}/requests`] ?? 0, success: metrics[`${this.scope}/success`] ?? 0,
			failures: metrics[`${this.scope}/failures`] ?? 0,
		};
		const last = this.counts[this.counts.length - 1];
		// A scope that expired and came again counts from nothing.
		if (last && now.requests < last.requests) this.counts = [];
		this.counts.push(now);
		if (this.counts.length > WINDOW + 1) this.counts.shift();
		if (!last) return;
		const before = this.counts[Math.max(0, this.counts.length - 2)]!;
		const ended = now.success - before.success + now.failures - before.failures;
		this.times.push(at / 1000);
		this.rates.push(at > before.at ? (now.requests - before.requests) * 1000 / (at - before.at) : 0);
		this.successes.push(ended > 0 ? (now.success - before.success) / ended : null);
		QUANTILES.forEach((name, i) => this.latencies[i]!.push(metrics[`${this.scope}/request_latency_ms.${name}`] ?? null));
		if (this.times.length > KEPT)
			for (const list of [this.times, this.rates, this.successes, ...this.latencies]) list.shift();
	}

	get rate(): number {
		const first = this.counts[0], last = this.counts[this.counts.length - 1];
		return first && last && last.at > first.at ? (last.requests - first.requests) * 1000 / (last.at - first.at) : 0;
	}

	get success(): number | null {
		const first = this.counts[0], last = this.counts[this.counts.length - 1];
		if (!first || !last) return null;
		const good = last.success - first.success, bad = last.failures - first.failures;
		return good + bad > 0 ? good / (good + bad) : null;
	}

	latency(which: typeof QUANTILES[number]): number | null {
		const list = this.latencies[QUANTILES.indexOf(which)]!;
		return list[list.length - 1] ?? null;
	}
}

export class Store {
	metrics: Metrics = {};
	at = 0;
	readonly series = new Map<string, Series>();

	update(metrics: Metrics, at: number): void {
		const seen = new Set<string>();
		for (const key in metrics) {
			if (!key.startsWith("rt/") || !key.endsWith("/requests")) continue;
			const scope = key.slice(0, -"/requests".length);
			const match = /^rt\/([^/]*)\/(server|service|client)\/(.+)$/.exec(scope);
			if (!match) continue;
			seen.add(scope);
			let series = this.series.get(scope);
			if (!series) {
				const pair = match[2] === "client" && /^(.*)\/service\/(svc\/.*)$/.exec(match[3]!);
				series = new Series(match[1]!, pair ? "pair" : match[2]!, pair ? `${pair[1]} ${pair[2]}` : match[3]!, scope);
				this.series.set(scope, series);
			}
			series.add(at, metrics);
		}
		for (const scope of this.series.keys()) if (!seen.has(scope)) this.series.delete(scope);
		this.metrics = metrics;
		this.at = at;
	}

	of(router: string | null, kind: string): Series[] {
		return [...this.series.values()].filter((s) => s.kind === kind && (router === null || s.router === router));
	}

	get routers(): string[] {
		return [...new Set([...this.series.values()].map((s) => s.router))];
	}

	metric(series: Series, name: string): number {
		return this.metrics[`${series.scope}/${name}`] ?? 0;
	}

	sum(list: Series[], name: string): number {
		return list.reduce((total, s) => total + this.metric(s, name), 0);
	}
}

export function totalRate(list: Series[]): number {
	return list.reduce((total, s) => total + s.rate, 0);
}

// Weighted by how many requests each had.
export function totalSuccess(list: Series[]): number | null {
	let all = 0, good = 0;
	for (const s of list) {
		if (s.success === null) continue;
		all += s.rate;
		good += s.rate * s.success;
	}
	return all > 0 ? good / all : null;
}

// "#/io.l5d.fs/hello" of "%/io.l5d.port/4141/#/io.l5d.fs/hello": transformers in front are noise in a list.
export function shortName(series: Series): string {
	if (series.kind !== "client") return `/${series.name}`.replace(/^\/svc\//, "");
	const at = series.name.search(/[#$]\//);
	return (at >= 0 ? series.name.slice(at) : series.name).replace(/^#\/io\.l5d\.fs\//, "");
}
