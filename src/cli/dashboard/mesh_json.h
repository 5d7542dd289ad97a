/* SPDX-License-Identifier: Apache-2.0 */
/* cli/dashboard/mesh_json.h: a mesh as JSON: what it does now, and what some of its rows have done. Pure.
 *
 *	mesh_json(&mesh, targets, period_ns, &out);                       // docs/viz.md says what is in it
 *	mesh_history_json(&mesh, SLICE("1,7"), false, &out);
 */
#ifndef CLI_DASHBOARD_MESH_JSON_H
#define CLI_DASHBOARD_MESH_JSON_H

#include "cli/dashboard/mesh.h"

enum { MESH_MOST_ASKED = 64 }; /* rows of one question */

/* `targets`: those of the last reading. */
void mesh_json(const struct mesh *mesh, const struct targets *targets, int64_t period_ns, struct text *out);
/* Of the rows with these ids, a comma between them; those that are gone are left out. `rates`: of their numbers only the rate. False: that
 * is no list of ids, or there are more than MESH_MOST_ASKED. */
bool mesh_history_json(const struct mesh *mesh, struct slice ids, bool rates, struct text *out);

#endif
