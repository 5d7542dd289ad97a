/* SPDX-License-Identifier: Apache-2.0 */
/* discover/system.h: the names below /$, which exist without any configuration.
 *
 *	/$/inet/HOST/PORT/..           /$/inet/PORT (this machine)         bound; HOST is an IP literal or a DNS name
 *	/$/io.buoyant.rinet/PORT/HOST/..                                   the same, other order
 *	/$/nil/..  /$/fail/..                                              empty, fail
 *	/$/io.buoyant.http.status/CODE/..                                  bound to an answer: namer_answer.status
 *	/$/io.buoyant.hostportPfx/PFX/HOST:PORT/..                         /PFX/HOST/PORT/..
 *	/$/io.buoyant.porthostPfx/PFX/HOST:PORT/..                         /PFX/PORT/HOST/..
 *	/$/io.buoyant.http.anyMethod/METHOD/..     .anyMethodPfx/PFX/METHOD/..      drop the method
 *	/$/io.buoyant.http.anyHost/HOST/..         .anyHostPfx/PFX/HOST/..          drop the host
 *	/$/io.buoyant.http.subdomainOf/DOMAIN/HOST/..  .subdomainOfPfx/DOMAIN/PFX/HOST/..  what is before ".DOMAIN"
 *	/$/io.buoyant.http.domainToPath/HOST/..    .domainToPathPfx/PFX/HOST/..     HOST's labels reversed
 *
 * Anything else below /$ is NAMER_FAILED ("UnknownNamer ..."). All but DNS names are answered at once and never
 * change. Control thread.
 *
 *	struct namer *system = system_new(&discover);
 *	w = namer_lookup(system, path_from(name, 1), changed, owner);
 */
#ifndef DISCOVER_SYSTEM_H
#define DISCOVER_SYSTEM_H

#include "discover/namer.h"

struct namer *system_new(const struct discover *discover);

#endif
