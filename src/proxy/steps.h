/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/steps.h: the table of steps that a request takes, and what a step answers.
 *
 * A step that can't go on at once parks the exchange, having made sure that something will run it again with exchange_run: the
 * same step begins anew. STEP_END: the step has answered, or handed over to events; the exchange may be freed already.
 */
#ifndef PROXY_STEPS_H
#define PROXY_STEPS_H

#include "proxy/exchange.h"

enum step_result {
	STEP_NEXT,
	STEP_PARK,
	STEP_END,
};

struct step {
	const char *name;
	enum step_result (*run)(struct exchange *exchange);
};

/* Where a further attempt begins. */
extern const unsigned steps_bind;

#endif
