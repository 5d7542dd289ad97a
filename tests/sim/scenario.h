/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/scenario.h: the scenarios that the program `sim` knows. scenario_*.c defines them, scenarios.c lists them. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "harness.h"

struct scenario {
	const char *name;
	const char *about;
	void (*run)(struct harness *harness);
	unsigned seeds; /* for an ordinary ./dev test */
};

void run_proxies_calm(struct harness *harness);
void run_proxies(struct harness *harness);
void run_proxies_calm_links(struct harness *harness);
void run_proxies_http2(struct harness *harness);
void run_proxies_tls(struct harness *harness);
void run_proxies_mixed_calm(struct harness *harness);
void run_proxies_mixed(struct harness *harness);
void run_proxies_secured_calm(struct harness *harness);
void run_proxies_secured(struct harness *harness);
void run_proxies_checked(struct harness *harness);
void run_proxies_budget(struct harness *harness);

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

#endif
