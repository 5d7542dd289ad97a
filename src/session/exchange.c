/* SPDX-License-Identifier: Apache-2.0 */
#include "session/exchange.h"

const char *reset_text(enum reset reset)
{
	switch (reset) {
	case RESET_NONE: return "none";
	case RESET_PEER: return "reset by peer";
	case RESET_CONNECT: return "connect failed";
	case RESET_REFUSED: return "refused by peer";
	case RESET_PROTOCOL: return "protocol error";
	case RESET_TIMEOUT: return "timeout";
	case RESET_CANCEL: return "canceled";
	case RESET_OVERLOAD: return "overload";
	case RESET_SHUTDOWN: return "shutdown";
	}
	return "unknown";
}
