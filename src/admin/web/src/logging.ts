// SPDX-License-Identifier: Apache-2.0
// What the proxy has logged, followed as it comes; and each part's level, to be changed while it runs.

import { get } from "./api";
import { arrange, count, el, setText } from "./dom";
import { View } from "./overview";

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"] as const;
const ABOUT: Record<string, string> = {
	admin: "this page's server: each question it gets",
	cli: "start, reload, drain, end",
	client: "names looked up by DNS",
	control: "the signer of identities",
	discover: "where endpoints are: files, DNS, Kubernetes",
	export: "collectors of traces and metrics",
	io: "accepting connections, memory of the loops",
	observe: "access logs, metrics",
	proxy: "requests that failed, endpoints taken out and back, names bound anew, connections that can't be made",
	tls: "handshakes that fail, certificates loaded anew",
};

interface Logger {
	logger: string;
	level: string;
}

interface Line {
	at_ms: number;
	level: string;
	logger: string;
	text: string;
	cut?: boolean;
}

// /log.json: what came since the number that was asked for, and the number to ask for next.
interface Lines {
	lines: Line[];
	next: number;
	lost: number;
}

const KEPT = 1000;

async function set(logger: string, level: string): Promise<Logger[]> {
	const response = await fetch("/logging.json", { method: "POST", body: new URLSearchParams({ logger, level }) });
	if (!response.ok) throw new Error((await response.text()).trim());
	return await response.json() as Logger[];
}

// The newest line is the last, and stays in sight unless somebody has scrolled up.
function logList(): { node: HTMLElement; follow(): void } {
	const filter = el("input", { type: "search", class: "filter", placeholder: "Filter", "aria-label": "Filter the log by text" });
	const least = el("select", { class: "filter", "aria-label": "Lowest level that is shown" },
		...LEVELS.map((level) => el("option", { value: level }, level === "DEBUG" ? "all levels" : level === "ERROR" ? "only ERROR" : `${level} and above`)));
	const pause = el("button", { type: "button", "aria-pressed": "false" }, "Pause"), told = el("p", { class: "soft", role: "status" });
	const body = el("ol", { class: "log" }), none = el("p", { class: "empty" }, "Nothing has been logged yet.");
	const region = el("div", { class: "log-scroll", tabindex: "0", role: "region", "aria-label": "Log, the newest line last" }, body, none);
	const kept: { line: Line; node: HTMLElement; words: string }[] = [];
	let next = 0, lost = 0, paused = false, asking = false;

	const nodeOf = (line: Line): HTMLElement => el("li", { class: line.level.toLowerCase() },
		el("time", { datetime: new Date(line.at_ms).toISOString() }, new Date(line.at_ms).toISOString().slice(11, 23)), el("b", {}, line.level),
		el("span", { class: "part" }, line.logger), el("span", { class: "text" }, line.text + (line.cut ? "…" : "")));
	const draw = (): void => {
		const atEnd = region.scrollHeight - region.scrollTop - region.clientHeight < 8, wanted = filter.value.toLowerCase();
		const level = LEVELS.indexOf(least.value as typeof LEVELS[number]);
		const shown = kept.filter(({ line, words }) => LEVELS.indexOf(line.level as typeof LEVELS[number]) >= level && words.includes(wanted));
		arrange(body, shown.map(({ node }) => node));
		none.hidden = shown.length > 0;
		setText(none, kept.length ? "No line is like that." : "Nothing has been logged yet.");
		setText(told, (shown.length < kept.length ? `${count(shown.length)} of ${count(kept.length)} lines` : "") + (lost ? `; ${count(lost)} older ones are gone` : ""));
		if (atEnd) region.scrollTop = region.scrollHeight;
	};
	const follow = (): void => {
		if (paused || asking) return;
		asking = true;
		get<Lines>(`/log.json?since=${next}`).then((read) => {
			if (read.next < next) kept.length = 0; // another process
			lost = read.next < next ? 0 : lost + (next ? read.lost : 0);
			next = read.next;
			for (const line of read.lines) kept.push({ line, node: nodeOf(line), words: `${line.level} ${line.logger} ${line.text}`.toLowerCase() });
			kept.splice(0, kept.length - KEPT);
			if (read.lines.length || !kept.length) draw();
		}).catch(() => {
			if (!kept.length) setText(none, "The log can't be seen here: the proxy doesn't answer, or admin.security has switched it off (diagnosticsEnabled).");
		}).finally(() => { asking = false; });
	};
	filter.addEventListener("input", draw);
	least.addEventListener("change", draw);
	pause.addEventListener("click", () => {
		paused = !paused;
		pause.setAttribute("aria-pressed", String(paused));
		setText(pause, paused ? "Go on" : "Pause");
		follow();
	});
	return { node: el("section", { class: "list", "aria-label": "Log" }, el("div", { class: "list-head" }, el("h2", {}, "Newest lines"), told, filter, least, pause), region), follow };
}

export function loggingPage(): View {
	const body = el("tbody"), told = el("p", { class: "soft told", role: "status" }), rows = new Map<string, Map<string, HTMLInputElement>>();

	const choices = (logger: string, say: string): HTMLElement => {
		const inputs = new Map<string, HTMLInputElement>(), group = el("fieldset", { class: "levels" }, el("legend", { class: "hidden" }, say));
		for (const level of LEVELS) {
			const input = el("input", { type: "radio", name: `level-${logger}`, value: level });
			input.addEventListener("change", () => {
				set(logger, level).then((all) => {
					show(all);
					setText(told, `${logger === "root" ? "All parts" : logger} now ${logger === "root" ? "log" : "logs"} ${level} and above.`);
				}).catch((error: Error) => {
					setText(told, error.message);
					load();
				});
			});
			inputs.set(level, input);
			group.append(el("label", { class: level.toLowerCase() }, input, el("span", {}, level)));
		}
		rows.set(logger, inputs);
		return group;
	};
	const row = (logger: string, about: string): HTMLElement => el("tr", {}, el("th", { scope: "row" }, logger === "root" ? "all parts" : logger),
		el("td", {}, choices(logger, logger === "root" ? "Level of all parts" : `Level of ${logger}`)), el("td", { class: "why" }, about));
	const show = (all: Logger[]): void => {
		if (rows.size !== all.length + 1) {
			rows.clear();
			body.replaceChildren(row("root", "sets them all at once"), ...all.map((l) => row(l.logger, ABOUT[l.logger] ?? "")));
		}
		const same = new Set(all.map((l) => l.level)).size === 1 ? all[0]!.level : null;
		for (const l of [...all, { logger: "root", level: same }])
			for (const [level, input] of rows.get(l.logger) ?? []) input.checked = level === l.level;
	};
	const load = (): void => {
		get<Logger[]>("/logging.json").then(show).catch(() => setText(told, "Levels can't be seen here: admin.security has switched them off (controlEnabled)."));
	};
	load();
	const log = logList();
	log.follow();
	return {
		node: el("div", {}, el("h1", {}, "Logging"), el("p", { class: "soft lead" }, "The proxy logs to its standard error, at most 20 lines a second of a kind; ",
			"the newest are here, too. Times are UTC."), log.node,
		el("h2", { class: "below" }, "Levels"), el("p", { class: "soft lead" }, "A change holds until the process ends; access logs are configured by router."), told,
		el("section", { class: "list" }, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Levels" }, el("table", {}, el("thead", {}, el("tr", {},
			...["part", "lowest level", "what it tells"].map((t) => el("th", { scope: "col" }, t)))), body)))),
		update: log.follow, end() {},
	};
}
