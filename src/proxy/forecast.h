/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/forecast.h: what a configuration alone says of a request: its name, and all that the name may be bound to, without asking
 * anybody where endpoints are. For comparing configurations.
 *
 * The functions are those by which the proxy names, lets in and looks up requests that are sent. Where the dtab ends, in a
 * namer's name, the forecast ends too; so two requests with equal forecasts have the same destination whatever namers answer.
 * The forecast is in a normal form: alternatives that can't be reached are left out, lists of them are flat, unions are sorted.
 * Pure; any thread.
 *
 *	forecast_make(&arena, &config, router, &router->listeners[0], head, &forecast);
 *	text_append(&out, forecast.destination);             // "/#/io.l5d.fs/web in disco | /$/inet/backup/80"
 */
#ifndef PROXY_FORECAST_H
#define PROXY_FORECAST_H

#include "model/path.h"
#include "model/snapshot.h"
#include "wire/head.h"

enum { FORECAST_LINES = 64, FORECAST_LEAVES = 32 };

struct forecast {
	unsigned status;           /* weft answers this; 0: it goes to a destination */
	struct slice why;          /* with a status */
	struct slice name;         /* "/svc/web"; empty with a status */
	struct path path;          /* the same */
	struct slice destination;  /* what it may be bound to; empty with a status */
	int lines[FORECAST_LINES]; /* of the file: the identifier that named it (0: the default one), then the entries of the dtab */
	unsigned line_count;
	struct path leaves[FORECAST_LEAVES]; /* names for namers, with the transformers' prefixes: for the rules of clients */
	unsigned leaf_count;
};

/* Of a request that comes in at that listener, one of the router's. What it points at is in the arena, the head and the configuration. The head's fields are changed as the proxy changes them. */
void forecast_make(struct arena *arena, const struct snapshot *snapshot, const struct router *router,
	const struct listener_policy *listener, struct head *head, struct forecast *forecast);

#endif
