// SPDX-License-Identifier: Apache-2.0
// What the page is about: a proxy (index.html, of its admin server), or a whole mesh (mesh.html, of `weft dashboard`).

import { Client, Figures, get } from "./api";
import { delegatorPage } from "./delegator";
import { graphPage } from "./graph";
import { loggingPage } from "./logging";
import { mesh } from "./mesh/mesh";
import { overview } from "./overview";
import { helpPage, processPage, recentPage } from "./pages";
import { Shell } from "./shell";
import { Store } from "./store";

const PERIOD_MS = 2000;

function proxy(): void {
	const store = new Store(), shell = new Shell<[Store, Client[]]>({
		"/": { title: "overview", make: overview },
		"/graph": { title: "graph", make: graphPage },
		"/delegator": { title: "dtab", make: delegatorPage },
		"/logging": { title: "logging", make: loggingPage },
		"/recent": { title: "requests", make: recentPage },
		"/process": { title: "process", make: processPage },
		"/help": { title: "help", make: helpPage },
	});
	void shell.poll(async () => {
		const [figures, endpoints] = await Promise.all([get<Figures>("/figures.json"), get<Client[]>("/endpoints.json").catch(() => [])]);
		store.update(figures, Date.now());
		shell.update(store, endpoints);
		return PERIOD_MS;
	});
}

if (document.documentElement.dataset.of === "mesh") mesh();
else proxy();
