// SPDX-License-Identifier: Apache-2.0
// What the admin server answers.

// /figures.json: of each scope the numbers that aren't 0.
export interface Scope {
	[name: string]: number | number[] | undefined;
	requests?: number;
	success?: number;
	failures?: number;
	request_latency_ms?: number[];
}

export type Figures = Record<string, Scope>;

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
	forgotten?: number;
	reloaded_since: boolean;
	now?: Explanation;
}

export interface Rule {
	line?: number;
	sets: string[];
}

export interface Destination {
	kind: string;
	share: number;
	client?: string;
	status?: number;
	balancer?: string;
	rules?: Rule[];
	chosen?: boolean;
	why?: string;
	endpoints?: { address: string; state: string; chosen?: boolean; why?: string }[];
}

// Where a request or a name goes, and why.
export interface Explanation {
	identify?: { tried: { identifier: string; header?: string; line?: number; name?: string; why?: string }[]; name?: string };
	delegation?: Delegation;
	service?: { name: string; rules: Rule[] };
	destinations?: Destination[];
	verdict?: { status?: number; why?: string; endpoints?: number };
}

export interface Process {
	version: string;
	workers: { requests: number }[];
}

export interface Dentry {
	prefix: string;
	dst: string;
	line?: number;
}

export interface Dtab {
	router: string;
	file: string;
	entries: Dentry[];
}

export interface Delegation {
	type: string;
	path?: string;
	dentry?: Dentry | null;
	delegate?: Delegation;
	alt?: Delegation[];
	union?: { weight: number; tree: Delegation }[];
	tree?: Delegation;
	name?: string;
	message?: string;
	bound?: { id?: string; path?: string; addr?: { type: string; addrs?: { ip: string; port: number }[] } };
}

export async function get<T>(path: string): Promise<T> {
	const response = await fetch(path, { cache: "no-store" });
	if (!response.ok) throw new Error(`${path} answers ${response.status}`);
	return await response.json() as T;
}

// What /explain.json is asked: of a name (path) or of a request (its head). With `dtab`, as if that were the router's.
export interface Question {
	namespace: string;
	path?: string;
	request?: string;
	dtab?: string;
}

export async function explain(question: Question): Promise<Explanation> {
	const response = await fetch("/explain.json", {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question),
	});
	const text = await response.text();
	if (response.ok) return JSON.parse(text) as Explanation;
	throw new Error(text.startsWith("{") ? (JSON.parse(text) as { error: string }).error : text.trim());
}
