/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"

#include "tls/library.h"

/* OpenSSL asks without saying for whom. */
static struct random drawn;

static struct random *draw(void)
{
	return &drawn;
}

void certificates_begin(struct certificates *certificates, struct harness *harness)
{
	harness_seed(harness, &drawn);
	library_start();
	library_draw_from(draw);
	pki_issue(&certificates->root, NULL, &(struct pki_options){ .name = "Root", .authority = true });
	pki_issue(&certificates->node, &certificates->root, &(struct pki_options){ .name = "node", .san = "DNS:" CERTIFICATES_NAME });
}

void certificates_put(const struct certificates *certificates, struct network *host)
{
	sim_file_put(host, "root.pem", slice_of(certificates->root.certificate));
	sim_file_put(host, "node.pem", slice_of(certificates->node.certificate));
	sim_file_put(host, "node.key", slice_of(certificates->node.key));
}

void certificates_end(struct certificates *certificates)
{
	pki_free(&certificates->node);
	pki_free(&certificates->root);
	library_draw_from(NULL);
}
