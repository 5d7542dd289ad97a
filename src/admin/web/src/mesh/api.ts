// SPDX-License-Identifier: Apache-2.0
// What `weft dashboard` answers: docs/viz.md. null: it can't be told.

import { get } from "../api";

export type Name = "rate_per_s" | "success_percent" | "p50_ms" | "p95_ms" | "p99_ms" | "client_errors_per_s" | "server_errors_per_s";

// Of the time between the last two readings; requests, success and failures since the proxies' starts.
export type Numbers = Partial<Record<Name, number | null>> & { id?: number; requests?: number; success?: number; failures?: number; pending?: number };

export interface ByRouter<Row> {
	all: Row;
	routers: Record<string, Row>;
}

export type Total = Numbers & { services: number; proxies: number };

export interface Proxy extends ByRouter<Numbers> {
	name: string;
	reached: boolean;
	for_ms: number;
	uptime_ms?: number;
	why?: string;
}

export type Service = Numbers & {
	router: string; name: string; namespace?: string; service?: string;
	retries_per_s: number; endpoints_up: number | null; endpoints: number | null; proxies: number | null;
};

// As `weft routes` and `weft edges` tell them.
export type Route = Numbers & { router: string; client: string; service: string; name?: string; namespace?: string };
export type Edge = Numbers & { router: string; from: string; to: string; secured: string; caller?: string; namespace?: string; service?: string };

export interface Mesh {
	version: string;
	period_s: number;
	readings: number;
	at_ms: number;
	kubernetes?: { server: string; why?: string };
	totals: ByRouter<Total>;
	proxies: Proxy[];
	services: Service[];
	services_left_out: number;
	routes: Route[];
	edges: Edge[];
}

export type Past = Partial<Record<Name, (number | null)[]>>;

export interface History {
	times_ms: number[];
	rows: Record<string, Past>;
}

const MOST_IDS = 64;

export async function history(ids: number[], only?: "rate"): Promise<History> {
	const wanted = ids.slice(0, MOST_IDS).join(",");
	return await get<History>(`/history.json?ids=${wanted}${only ? `&only=${only}` : ""}`);
}

// "shop/cart" where Kubernetes knows it, else as callers say: "cart".
export function serviceName(of: { namespace?: string; service?: string; name?: string }): string {
	const name = of.name ?? of.service ?? "";
	return of.name !== undefined && of.namespace && of.service ? `${of.namespace}/${of.service}` : name.replace(/^svc\//, "");
}

export function ratio(of: Numbers): number | null {
	return of.success_percent === null || of.success_percent === undefined ? null : of.success_percent / 100;
}
