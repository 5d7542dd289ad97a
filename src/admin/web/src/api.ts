// SPDX-License-Identifier: Apache-2.0
// What the admin server answers.

export type Metrics = Record<string, number>;

export interface Endpoint {
	address: string;
	weight: number;
	state: "alive" | "out" | "probing" | "leaving" | "failing";
	failures?: number;
	times_out?: number;
	again_in_ms?: number;
	taken_out_ms_ago?: number;
}

export interface Client {
	router: string;
	client: string;
	failures_allowed?: number;
	endpoints: Endpoint[];
}

export interface Told {
	at_ms: number;
	router?: string;
	service?: string;
	client?: string;
	status: number;
	duration_us: number;
	upstream_us: number;
	attempts: number;
	endpoint?: string;
	trace: string;
	worker: number;
	flags: string[];
}

export interface Try {
	endpoint?: string;
	began_us?: number;
	took_us: number;
	outcome: string;
	status?: number;
	again_after_us?: number;
}

// A request that was sent, and what its name is delegated to now.
export interface Story extends Told {
	ended_by: string;
	why?: string;
	tries: Try[];
	reloaded_since: boolean;
	now?: {
		identify?: { tried: { identifier: string; header?: string; line?: number; name?: string }[] };
		delegation?: Delegation;
		destinations?: { kind: string; client?: string; share: number; chosen?: boolean; why?: string;
			endpoints?: { address: string; state: string; chosen?: boolean; why?: string }[] }[];
	};
}

export interface Process {
	version: string;
	workers: { requests: number }[];
}

export interface Config {
	routers: { protocol: string; label?: string; dtab?: string }[];
}

export interface Delegation {
	type: string;
	path?: string;
	dentry?: { prefix: string; dst: string; line?: number } | null;
	delegate?: Delegation;
	alt?: Delegation[];
	union?: { weight: number; tree: Delegation }[];
	tree?: Delegation;
	name?: string;
	message?: string;
	bound?: { id?: string; path?: string; addr?: { type: string; addrs?: { ip: string; port: number }[] } };
	error?: string;
}

export async function get<T>(path: string): Promise<T> {
	const response = await fetch(path, { cache: "no-store" });
	if (!response.ok) throw new Error(`${path} answers ${response.status}`);
	return await response.json() as T;
}

export async function delegate(namespace: string, path: string, dtab: string): Promise<Delegation> {
	const response = await fetch("/delegator.json", {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ namespace, path, dtab }),
	});
	const text = await response.text();
	if (!response.ok) throw new Error(text.trim());
	return JSON.parse(text) as Delegation;
}
