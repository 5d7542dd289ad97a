/* SPDX-License-Identifier: Apache-2.0 */
/* tls/library.h: OpenSSL as a whole: its start and its memory. Before anything else of this room is called, library_start must have
 * returned; whoever makes servers, clients or authorities calls it (tls_store_new does). Main or control thread.
 *
 * OpenSSL takes its memory from tls/cells.h, reads no configuration file of its own, and registers nothing to run at exit. It must
 * not have been used before the first library_start, or it keeps its own heap (then that is said in the log, once).
 *
 *	library_start();
 */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include "base/random.h"

void library_start(void); /* the first call counts */
/* For the simulation alone: all that OpenSSL draws comes from what `draw` answers; NULL: the kernel's randomness again. */
void library_draw_from(struct random *(*draw)(void));

#endif
