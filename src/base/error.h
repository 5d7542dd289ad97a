/* SPDX-License-Identifier: Apache-2.0 */
/* base/error.h: what a function answers when it can't do what it was asked.
 *
 * Functions return 0 or one of these, always negative; results come back through out-parameters. Any thread.
 *
 *	int e = address_parse(text, &address);
 *	if (e)
 *		return e;
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum error {
	ERROR_NONE = 0,
	ERROR_NO_MEMORY = -1,   /* an allocation failed */
	ERROR_LIMIT = -2,       /* a configured maximum is reached */
	ERROR_SYNTAX = -3,      /* bytes that break their format's rules */
	ERROR_INCOMPLETE = -4,  /* good so far, more bytes are needed */
	ERROR_CLOSED = -5,      /* the other side has ended in an orderly way */
	ERROR_RESET = -6,       /* the other side, or the network, broke the connection */
	ERROR_TIMEOUT = -7,     /* a deadline passed */
	ERROR_REFUSED = -8,     /* connection refused */
	ERROR_UNREACHABLE = -9, /* no route to the address */
	ERROR_NOT_FOUND = -10,
	ERROR_EXISTS = -11,
	ERROR_BUSY = -12,        /* in use, try later */
	ERROR_INVALID = -13,     /* an argument or value that makes no sense here */
	ERROR_UNSUPPORTED = -14, /* understood, not done here */
	ERROR_IO = -15,          /* the kernel failed in another way; io has logged it */
	ERROR_CANCELED = -16,
	ERROR_DENIED = -17, /* not permitted */
};

/* The error's name in lower case, e.g. "connection reset"; static. */
const char *error_text(int error);

#endif
