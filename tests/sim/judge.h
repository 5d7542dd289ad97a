/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/judge.h: whether a message is what was asked for, however it was carried. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "harness.h"
#include "message.h"

/* A user's: the answer to that request, which is for the named service, is complete. */
enum outcome judge_answer(struct harness *harness, uint64_t id, const struct message *answer, const char *name);

/* A service's: a request's head reached it; the request is complete. */
void judge_arrival(struct harness *harness, unsigned number, const char *name, uint64_t connection, const struct message *request);
void judge_request(struct harness *harness, const char *name, const struct message *request);

#endif
