/* SPDX-License-Identifier: Apache-2.0 */
/* tls/copy.h: options of which all bytes lie in one arena, and their text for comparing. Private to this room. Control thread.
 *
 *	copy_server(&arena, given, &options);
 *	copy_name_server(given, &text);      // equal texts: equal options; where they are written doesn't count
 */
#ifndef TLS_COPY_H
#define TLS_COPY_H

#include "base/arena.h"
#include "base/text.h"
#include "tls/options.h"

void copy_server(struct arena *arena, const struct tls_server_options *from, struct tls_server_options *to);
void copy_client(struct arena *arena, const struct tls_client_options *from, struct tls_client_options *to);
void copy_name_server(const struct tls_server_options *options, struct text *name);
void copy_name_client(const struct tls_client_options *options, struct text *name);

#endif
