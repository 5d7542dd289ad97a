// SPDX-License-Identifier: Apache-2.0
// The counters over time: each scope's last samples, and what follows from their differences.

import { Figures, Scope } from "./api";

export const KEPT = 120; // samples: four minutes at two seconds
const WINDOW = 5; // samples that a shown rate is taken over
export const QUANTILES = ["p50", "p95", "p99", "p9990", "max"] as const;

const NOTHING: Scope = {};

export type Kind = "server" | "service" | "client" | "pair" | "caller" | "peer";

// The last KEPT of a row of numbers, NaN where there was none. Of thousands of services to which nothing happens it takes no memory: as
// long as all are `absent`.
export class History {
	private at: Float32Array | null = null;
	private count = 0;

	constructor(private absent: number) {}

	push(value: number, times: number): void {
		if (!this.at) {
			if (Number.isNaN(value) || value === this.absent) return;
			this.at = new Float32Array(KEPT).fill(this.absent);
			this.count = times - 1;
		}
		this.at[this.count++ % KEPT] = value;
	}

	// The newest `most` of `times` samples, from the oldest on.
	list(times: number, most = KEPT): number[] {
		const wanted = Math.min(times, most, KEPT);
		if (!this.at) return new Array<number>(wanted).fill(this.absent);
		const made: number[] = [];
		for (let i = this.count - wanted; i < this.count; i++) made.push(this.at[(i + KEPT) % KEPT]!);
		return made;
	}
}

// One scope of the proxy's metrics over time.
export class Series {
	readonly short: string; // for people
	readonly rates = new History(0);
	readonly successes = new History(NaN);
	readonly latencies = QUANTILES.map(() => new History(NaN));
	now: Scope = NOTHING;
	rate = 0; // requests a second over WINDOW
	success: number | null = null;
	times = 0; // samples so far
	private counts: { at: number; requests: number; success: number; failures: number }[] = [];

	constructor(readonly router: string, readonly kind: Kind, readonly name: string, readonly scope: string) {
		this.short = shortName(kind, name);
	}

	add(at: number, now: Scope): void {
		const requests = now.requests ?? 0, success = now.success ?? 0, failures = now.failures ?? 0;
		this.now = now;
		// A scope that expired and came again counts from nothing.
		if (this.counts.length && requests < this.counts[this.counts.length - 1]!.requests) this.counts = [];
		const last = this.counts[this.counts.length - 1];
		this.counts.push({ at, requests, success, failures });
		if (this.counts.length > WINDOW + 1) this.counts.shift();
		if (!last) return;
		const first = this.counts[0]!, good = success - first.success, bad = failures - first.failures;
		this.rate = at > first.at ? (requests - first.requests) * 1000 / (at - first.at) : 0;
		this.success = good + bad > 0 ? good / (good + bad) : null;
		this.times++;
		if (this.kind === "pair" || this.kind === "caller" || this.kind === "peer") return;
		const ended = success - last.success + failures - last.failures;
		this.rates.push(at > last.at ? (requests - last.requests) * 1000 / (at - last.at) : 0, this.times);
		this.successes.push(ended > 0 ? (success - last.success) / ended : NaN, this.times);
		this.latencies.forEach((history, i) => history.push(now.request_latency_ms?.[i] ?? NaN, this.times));
	}

	latency(which: typeof QUANTILES[number]): number | null {
		return this.now.request_latency_ms?.[QUANTILES.indexOf(which)] ?? null;
	}
}

const SCOPE = /^rt\/([^/]*)\/(server|service|client)\/(.+)$/;

function seriesOf(scope: string): Series | null {
	const match = SCOPE.exec(scope);
	if (!match) return null;
	const [, router, side, name] = match as unknown as [string, string, Kind, string];
	const below = /^(.*)\/(?:service\/(svc\/.*|overflow)|(caller|peer)\/(.*))$/.exec(name);
	if (side === "service" || !below) return new Series(router, side, name, scope);
	if (below[2]) return side === "client" ? new Series(router, "pair", `${below[1]} ${below[2]}`, scope) : null;
	return new Series(router, below[3] as Kind, `${below[1]} ${below[4]}`, scope);
}

const NONE: Series[] = [];

export class Store {
	figures: Figures = {};
	at = 0;
	times: number[] = []; // of the last KEPT samples, in seconds
	readonly series = new Map<string, Series>();
	private ignored = new Set<string>();
	private groups = new Map<string, Series[]>();

	update(figures: Figures, at: number): void {
		let changed = false, seen = 0;
		if (this.at) this.times.push(at / 1000);
		if (this.times.length > KEPT) this.times.shift();
		for (const scope in figures) {
			let series = this.series.get(scope);
			if (!series) {
				if (this.ignored.has(scope)) continue;
				const made = seriesOf(scope);
				if (!made) {
					this.ignored.add(scope);
					continue;
				}
				series = made;
				this.series.set(scope, made);
				changed = true;
			}
			series.add(at, figures[scope]!);
			seen++;
		}
		if (seen < this.series.size) {
			for (const scope of this.series.keys()) if (!(scope in figures)) this.series.delete(scope);
			changed = true;
		}
		if (changed) this.group();
		this.figures = figures;
		this.at = at;
	}

	private group(): void {
		this.groups.clear();
		for (const s of this.series.values())
			for (const key of [` ${s.kind}`, `${s.router} ${s.kind}`]) {
				const list = this.groups.get(key);
				if (list) list.push(s);
				else this.groups.set(key, [s]);
			}
	}

	// Not to be changed by who gets it.
	of(router: string | null, kind: Kind): readonly Series[] {
		return this.groups.get(`${router ?? ""} ${kind}`) ?? NONE;
	}

	// A router is there from the first connection on.
	get routers(): string[] {
		return [...new Set([...this.of(null, "server"), ...this.of(null, "service")].map((s) => s.router))];
	}

	metric(series: Series, name: string): number {
		return (series.now[name] as number | undefined) ?? 0;
	}

	// Of the process: "jvm", "uptime".
	value(scope: string, name: string): number {
		return (this.figures[scope]?.[name] as number | undefined) ?? 0;
	}

	has(scope: string): boolean {
		return scope in this.figures;
	}

	sum(list: readonly Series[], name: string): number {
		return list.reduce((total, s) => total + this.metric(s, name), 0);
	}
}

export function totalRate(list: readonly Series[]): number {
	return list.reduce((total, s) => total + s.rate, 0);
}

// Weighted by how many requests each had.
export function totalSuccess(list: readonly Series[]): number | null {
	let all = 0, good = 0;
	for (const s of list) {
		if (s.success === null) continue;
		all += s.rate;
		good += s.rate * s.success;
	}
	return all > 0 ? good / all : null;
}

// "hello" of "svc/hello"; "hello" of "%/io.l5d.port/4141/#/io.l5d.fs/hello": transformers in front are noise in a list.
function shortName(kind: Kind, name: string): string {
	if (kind !== "client") return `/${name}`.replace(/^\/svc\//, "");
	const at = name.search(/[#$]\//);
	return (at >= 0 ? name.slice(at) : name).replace(/^#\/io\.l5d\.fs\//, "");
}
