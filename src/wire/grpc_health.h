/* SPDX-License-Identifier: Apache-2.0 */
/* wire/grpc_health.h: the two messages of gRPC's health checking ("GRPC Health Checking Protocol", doc/health-checking.md of the gRPC
 * project, grpc/health/v1/health.proto), each with the prefix that a body has before it. Pure; any thread.
 *
 *	size_t length = grpc_health_request(SLICE("pkg.Greeter"), bytes);   // POST GRPC_HEALTH_PATH
 *	e = grpc_health_response(body, &state);
 *	if (!e && state == GRPC_HEALTH_SERVING) ...
 *	e = grpc_health_asked(body, &service);                              // where weft is asked
 *	grpc_health_answer(GRPC_HEALTH_SERVING, bytes);
 */
#ifndef WIRE_GRPC_HEALTH_H
#define WIRE_GRPC_HEALTH_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define GRPC_HEALTH_PATH "/grpc.health.v1.Health/Check"

enum {
	GRPC_HEALTH_SERVICE_MOST = 255,
	GRPC_HEALTH_REQUEST_MOST = GRPC_HEALTH_SERVICE_MOST + 8,
};

/* HealthCheckResponse.ServingStatus. */
enum grpc_health {
	GRPC_HEALTH_UNKNOWN,
	GRPC_HEALTH_SERVING,
	GRPC_HEALTH_NOT_SERVING,
	GRPC_HEALTH_SERVICE_UNKNOWN,
};

/* A whole body that asks for `service` (empty: for the server as such), at most GRPC_HEALTH_SERVICE_MOST bytes. Returns its length. */
size_t grpc_health_request(struct slice service, char out[GRPC_HEALTH_REQUEST_MOST]);
/* ERROR_SYNTAX: not one whole uncompressed message of that kind. Statuses that are not known are GRPC_HEALTH_UNKNOWN. */
MUST_CHECK int grpc_health_response(struct slice body, enum grpc_health *state);
/* The other end's: the service that a whole body asks for, a slice of it, empty for the server as such. ERROR_SYNTAX: as above. */
MUST_CHECK int grpc_health_asked(struct slice body, struct slice *service);
/* A whole body that tells the state. */
enum { GRPC_HEALTH_ANSWER = 7 };
void grpc_health_answer(enum grpc_health state, char out[GRPC_HEALTH_ANSWER]);
/* "NOT_SERVING"; static. */
const char *grpc_health_name(enum grpc_health state);

#endif
