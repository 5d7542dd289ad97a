/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/answer.h: the answers that the proxy makes itself, with the texts that Linkerd 1.x gives. All end the exchange and return
 * STEP_END, so that a step can say `return answer_error(…)`. The worker's thread.
 */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H

#include "proxy/admission.h"
#include "proxy/steps.h"

/* Text and l5d-err as given. */
enum step_result answer_error(struct exchange *exchange, unsigned status, struct slice text);
/* What is to be added to a request's head has no room: ERROR_LIMIT, it has too many fields; else there is no memory. */
enum step_result answer_no_room(struct exchange *exchange, int error);
enum step_result answer_unidentified(struct exchange *exchange, struct slice why);
/* `who` calls, who may not; empty: whose certificate says no SPIFFE ID. */
enum step_result answer_forbidden(struct exchange *exchange, struct slice who);
/* What admission_judge does not let in. */
enum step_result answer_not_admitted(struct exchange *exchange, enum admission admission);
/* Nothing is bound to the name, or what is bound has no endpoints; `why`: a namer's message, or empty. */
enum step_result answer_unbound(struct exchange *exchange, struct slice why);
/* The namer io.buoyant.http.status. */
enum step_result answer_status(struct exchange *exchange, unsigned status);
enum step_result answer_timeout(struct exchange *exchange, int64_t limit_ns, const char *what);
/* After the last attempt has failed without a response. */
enum step_result answer_failed(struct exchange *exchange, enum outcome outcome, int error);

#endif
