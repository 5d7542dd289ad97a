/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_packed.h: how rows of a k8s_table are packed: numbers as they are in memory, texts of at most 255 bytes behind their length,
 * ports of Services and EndpointSlices. Written onto a text, read from a slice that moves on. Rows never leave the process. Pure.
 *
 *	k8s_packed_put_text(&packed, SLICE("node-1"));
 *	struct slice rest = row->packed, node = k8s_packed_text(&rest);
 */
#ifndef DISCOVER_K8S_PACKED_H
#define DISCOVER_K8S_PACKED_H

#include <stdint.h>

#include "base/slice.h"

struct document_node;
struct text;

void k8s_packed_put_u8(struct text *packed, uint8_t value);
void k8s_packed_put_u32(struct text *packed, uint32_t value);
void k8s_packed_set_u32(struct text *packed, size_t at, uint32_t value);
/* One that is longer than 255 bytes is put as the empty text: no name of Kubernetes is. */
void k8s_packed_put_text(struct text *packed, struct slice text);
/* One of any length. */
void k8s_packed_put_long_text(struct text *packed, struct slice text);
/* The TCP ports of a sequence of objects with `name`, `port`, `protocol`; NULL: none. A port without a name has the empty one. */
void k8s_packed_put_ports(struct text *packed, const struct document_node *ports);

/* CHECKed: what was put is there. */
uint8_t k8s_packed_u8(struct slice *rest);
uint32_t k8s_packed_u32(struct slice *rest);
struct slice k8s_packed_text(struct slice *rest);
struct slice k8s_packed_long_text(struct slice *rest);
/* The number of the port with this name, or 0; moves behind all ports. */
uint16_t k8s_packed_find_port(struct slice *rest, struct slice name);
/* The name of the port with this number; false: there is none. Moves behind all ports. */
bool k8s_packed_find_number(struct slice *rest, uint16_t number, struct slice *name);

#endif
