// SPDX-License-Identifier: Apache-2.0
// The story of one request: its attempts, who ended it, and what was not chosen.

import { get, Story, Try } from "./api";
import { el, millis } from "./dom";
import { destinations, naming } from "./explanation";
import { branch } from "./tree";

const ms = (us: number): string => millis(us / 1000);

function attempt(tried: Try, i: number): HTMLElement {
	const when = tried.began_us === undefined ? "" : `after ${ms(tried.began_us)}, `;
	const again = tried.again_after_us === undefined ? "" : `; again after ${ms(tried.again_after_us)}`;
	return el("li", {}, `Attempt ${i + 1}: `, el("span", { class: "mono" }, tried.endpoint ?? "?"),
		` ${when}took ${ms(tried.took_us)}: ${tried.outcome}${tried.status ? ` ${tried.status}` : ""}${again}`);
}

function tell(story: Story): HTMLElement {
	const now = story.now ?? {};
	return el("section", { class: "card tree" },
		el("h2", {}, `${story.service ?? "A request"}, ${new Date(story.at_ms).toISOString().slice(11, 23)}`),
		el("p", {}, `Ended by the ${story.ended_by} after ${ms(story.duration_us)}, status ${story.status || "none"}`,
			story.flags.length ? `; ${story.flags.join(", ")}` : ""),
		...(story.why ? [el("p", { class: "addresses" }, story.why.split("\n")[0]!)] : []),
		el("ul", {}, ...story.tries.map(attempt)),
		...(story.reloaded_since ? [el("p", { class: "soft" }, "The configuration was loaded anew since; what follows is by the present one.")] : []),
		...naming(now), ...(now.delegation ? [el("ul", { class: "root" }, branch(now.delegation))] : []), ...destinations(now));
}

// Those of one trace, into `place`.
export function showStory(place: HTMLElement, id: string): void {
	get<Story[]>(`/explain.json?id=${encodeURIComponent(id)}`)
		.then((stories) => place.replaceChildren(...stories.map(tell)))
		.catch(() => place.replaceChildren(el("p", { class: "bad" }, "None of the newest requests has that id.")));
}
