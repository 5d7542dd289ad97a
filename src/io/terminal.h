/* SPDX-License-Identifier: Apache-2.0 */
/* io/terminal.h: the terminal that a command was started from. Main thread.
 *
 *	if (terminal_is_output()) colour = true;
 *	terminal_size(&columns, &rows);
 *	terminal_keys_new(loop, pressed, owner, &keys);   // a screen of one's own; each key is told at once, and not shown
 *	terminal_keys_free(keys);                         // as it was before
 */
#ifndef IO_TERMINAL_H
#define IO_TERMINAL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

struct loop;
struct terminal_keys;

/* Whether standard output is one. */
bool terminal_is_output(void);
/* Of standard output; false: it has none, and 80 by 24 is answered. */
bool terminal_size(unsigned *columns, unsigned *rows);

/* Writes to standard output. False: nobody reads it any more. */
bool terminal_print(struct slice bytes);

/* The whole screen, and standard input without echo and lines: `pressed` gets the bytes of a key (an arrow is ESC [ A), one call for each read. Signals go on
 * coming as such (Ctrl-C). The terminal is as before after terminal_keys_free, and also when the process exits, aborts or is ended by a
 * signal that it could catch. ERROR_UNSUPPORTED: standard input is no terminal; ERROR_BUSY: there are keys already. */
MUST_CHECK int terminal_keys_new(
	struct loop *loop, void (*pressed)(void *owner, struct slice bytes), void *owner, struct terminal_keys **keys);
void terminal_keys_free(struct terminal_keys *keys); /* NULL is allowed */

#endif
