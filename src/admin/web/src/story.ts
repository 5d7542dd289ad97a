// SPDX-License-Identifier: Apache-2.0
// The story of one request: its attempts, who ended it, and what was not chosen.

import { get, Story, Try } from "./api";
import { el, millis } from "./dom";
import { destinations, naming } from "./explanation";
import { branch } from "./tree";

const ms = (us: number): string => millis(us / 1000);

// When it was under way, of the whole time. When the last one began isn't recorded; it ended with the request.
function bar(tried: Try, whole: number): HTMLElement {
	const began = tried.began_us ?? Math.max(0, whole - tried.took_us), drawn = el("span"), scale = 100 / Math.max(1, whole);
	drawn.style.marginLeft = `${Math.min(99, began * scale)}%`;
	drawn.style.width = `${Math.max(1, Math.min(100 - began * scale, tried.took_us * scale))}%`;
	return el("span", { class: `bar ${tried.status && tried.status < 500 ? "" : "bad"}`, "aria-hidden": "true" }, drawn);
}

function attempt(tried: Try, i: number, whole: number): HTMLElement {
	const when = tried.began_us === undefined ? "" : `after ${ms(tried.began_us)}, `;
	const again = tried.again_after_us === undefined ? "" : tried.again_after_us ? `; again after ${ms(tried.again_after_us)}` : "; again at once";
	return el("li", {}, el("span", {}, `Attempt ${i + 1}: `, el("span", { class: "mono" }, tried.endpoint ?? "?"),
		` ${when}took ${ms(tried.took_us)}: ${tried.outcome}${tried.status ? ` ${tried.status}` : ""}${again}`), bar(tried, whole));
}

function tell(story: Story): HTMLElement {
	const now = story.now ?? {}, ended = story.ended_by === "weft" ? "weft" : `the ${story.ended_by}`;
	const head = el("h2", {}, `${story.service ?? "A request"}, ${new Date(story.at_ms).toISOString().slice(11, 23)}`);
	return el("section", { class: "card tree story", "aria-label": `Story of ${story.trace}` }, head,
		el("p", { class: "goals" }, `Ended by ${ended} after ${ms(story.duration_us)}, status ${story.status || "none"}`, story.flags.length ? `; ${story.flags.join(", ")}` : ""),
		...(story.why ? [el("p", { class: "addresses" }, story.why.split("\n")[0]!)] : []),
		...(story.tries.length ? [el("ol", { class: "tries" }, ...story.tries.map((t, i) => attempt(t, i, story.duration_us)))] : []),
		...(story.forgotten ? [el("p", { class: "soft" }, `${story.forgotten} more attempts are not remembered.`)] : []),
		el("p", { class: "soft" }, `Router ${story.router ?? "?"}, worker ${story.worker}, trace `, el("span", { class: "mono" }, story.trace), "."),
		...(now.delegation ? [el("h3", {}, "Why it went there"),
			...(story.reloaded_since ? [el("p", { class: "soft" }, "The configuration was loaded anew since; what follows is by the present one.")] : []),
			...naming(now), el("ul", { class: "root" }, branch(now.delegation)), ...destinations(now)]
			: [el("p", { class: "soft" }, "Nobody has called that name lately, so that what it is bound to is not known any more.")]));
}

// Those of one trace, into `place`.
export function showStory(place: HTMLElement, id: string): void {
	get<Story[]>(`/explain.json?id=${encodeURIComponent(id)}`)
		.then((stories) => place.replaceChildren(...stories.map(tell)))
		.catch(() => place.replaceChildren(el("p", { class: "bad", role: "alert" }, "None of the newest requests has that id.")));
}
