/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"

#include "tls/library.h"

/* OpenSSL asks without saying for whom. */
static struct random drawn;

static struct random *draw(void)
{
	return &drawn;
}

/* Made by the first run that needs them, and the same whichever that is. */
static struct certificates made;

static void make(void)
{
	random_init(&drawn, 1);
	pki_issue(&made.root, NULL, &(struct pki_options){ .name = "Root", .authority = true });
	for (unsigned i = 0; i < CERTIFICATES; i++)
		pki_issue(&made.nodes[i], &made.root, &(struct pki_options){ .name = "node", .san = "DNS:" CERTIFICATES_NAME });
}

void certificates_begin(struct harness *harness)
{
	library_start();
	library_draw_from(draw);
	if (!made.root.certificate)
		make();
	harness_seed(harness, &drawn);
}

const struct certificates *certificates_of_run(void)
{
	return &made;
}

void certificates_put(struct network *host, unsigned which)
{
	sim_file_put(host, "root.pem", slice_of(made.root.certificate));
	sim_file_put(host, "node.pem", slice_of(made.nodes[which].certificate));
	sim_file_put(host, "node.key", slice_of(made.nodes[which].key));
}

void certificates_end(void)
{
	library_draw_from(NULL);
}
