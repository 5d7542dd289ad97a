// SPDX-License-Identifier: Apache-2.0
// Which page is shown, and the polling behind it.

import { Client, Figures, get } from "./api";
import { delegatorPage } from "./delegator";
import { setText } from "./dom";
import { graphPage } from "./graph";
import { loggingPage } from "./logging";
import { overview, View } from "./overview";
import { helpPage, processPage, recentPage } from "./pages";
import { Store } from "./store";

const PERIOD_MS = 2000;
const pages: Record<string, { title: string; make: () => View }> = {
	"/": { title: "overview", make: overview },
	"/graph": { title: "graph", make: graphPage },
	"/delegator": { title: "dtab", make: delegatorPage },
	"/logging": { title: "logging", make: loggingPage },
	"/recent": { title: "requests", make: recentPage },
	"/process": { title: "process", make: processPage },
	"/help": { title: "help", make: helpPage },
};

const store = new Store();
const main = document.getElementById("main")!, live = document.getElementById("live")!;
let view: View | null = null, clients: Client[] = [];

function show(focus: boolean): void {
	const page = pages[location.pathname] ?? pages["/"]!;
	view?.end();
	view = page.make();
	main.replaceChildren(view.node);
	document.title = `weft: ${page.title}`;
	document.querySelectorAll("nav a").forEach((a) => {
		if (a.getAttribute("href") === location.pathname) {
			a.setAttribute("aria-current", "page");
			a.scrollIntoView({ inline: "center", block: "nearest" }); // on a phone not all are in sight
		} else a.removeAttribute("aria-current");
	});
	if (store.at) view.update(store, clients);
	if (focus) main.focus();
}

document.addEventListener("click", (event) => {
	const link = (event.target as Element).closest("a");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || link.origin !== location.origin || !(link.pathname in pages) || link.hash) return;
	event.preventDefault();
	history.pushState(null, "", link.href);
	show(true);
});
window.addEventListener("popstate", () => show(false));

// The next poll waits longer where the answer took long: a page that looks must not be a load.
async function poll(): Promise<void> {
	const began = performance.now();
	try {
		const [figures, endpoints] = await Promise.all([get<Figures>("/figures.json"), get<Client[]>("/endpoints.json").catch(() => [])]);
		store.update(figures, Date.now());
		clients = endpoints;
		view?.update(store, clients);
		setText(live, "live");
		live.className = "live on";
	} catch {
		setText(live, "no answer");
		live.className = "live off";
	}
	setTimeout(() => void poll(), Math.max(PERIOD_MS, (performance.now() - began) * 4));
}

show(false);
void poll();
