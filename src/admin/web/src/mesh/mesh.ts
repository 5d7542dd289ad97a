// SPDX-License-Identifier: Apache-2.0
// A whole mesh: its pages, and asking for what they show.

import { get } from "../api";
import { Shell } from "../shell";
import { Mesh } from "./api";
import { graphPage } from "./graph";
import { helpPage } from "./help";
import { overview } from "./overview";

export function mesh(): void {
	const shell = new Shell<[Mesh]>({
		"/": { title: "mesh", make: overview },
		"/graph": { title: "graph of the mesh", make: graphPage },
		"/help": { title: "help", make: helpPage },
	});
	let seen = -1;
	void shell.poll(async () => {
		const told = await get<Mesh>("/mesh.json");
		if (told.readings !== seen) shell.update(told);
		seen = told.readings;
		return told.readings < 2 ? 500 : told.period_s * 1000;
	});
}
