/* SPDX-License-Identifier: Apache-2.0 */
/* weft: the table of subcommands. Each is a file in cli/. */
#include <stddef.h>

#include "cli/cli.h"

static const struct command commands[] = {
	{ "proxy", "FILE.yaml [--threads N]", "Runs the proxy of a configuration",
	  "FILE.yaml is a Linkerd 1.x configuration, `-` is standard input: `weft help linkerd` lists its keys.\n"
	  "The addresses that are listened on are printed. SIGHUP, or a change of the file, reloads it: a wrong\n"
	  "one is refused and the old one stays. SIGTERM and SIGINT take no more requests and let the others end\n"
	  "within admin.shutdownGraceMs; a second one ends at once.\n"
	  "\n"
	  "  --threads N   workers; by default as many as the process may use cores\n"
	  "\n"
	  "Exit code 0 when all requests could end, 1 when some were cut off, 2 when it could not start.",
	  cli_proxy },
	{ "validate", "FILE.yaml...", "Says what is wrong with configurations, and runs nothing",
	  "`-` is standard input. Exit code 0 when all are good, else 2.", cli_validate },
	{ "ca", "init | issue | rotate | show | serve | agent ...", "Identities: a trust root, and certificates for workloads",
	  "  init DIR --trust-domain D [--max-ttl 24h] [--root-life 365d]\n"
	  "      makes an authority; DIR must be readable by nobody else\n"
	  "  serve DIR --socket PATH [--policy FILE] [--mode 0660]\n"
	  "      the signing process: workloads of this machine ask it for certificates. FILE says which user may be called\n"
	  "      what; without one only its own user and root may ask. It replaces the root in time. SIGHUP reads FILE again\n"
	  "  agent --socket PATH --id spiffe://D/ns/NAMESPACE/sa/ACCOUNT --out DIR [--ttl 12h] [--once]\n"
	  "      keeps cert.pem, key.pem, bundle.pem and svid.pem (certificate and key) in DIR fresh\n"
	  "  issue DIR --id spiffe://... --out PREFIX|DIR/ [--ttl 24h] [--dns NAME]...\n"
	  "      by hand: PREFIX-cert.pem, PREFIX-key.pem, PREFIX-bundle.pem\n"
	  "  rotate DIR [--now]\n"
	  "      the next step of replacing the root: add, switch, drop. `serve` takes those that are due by itself\n"
	  "  show DIR [-o text|json|pem]\n"
	  "      its roots and what is next; pem is the bundle\n"
	  "\n"
	  "Times are 30s, 90m, 24h or 7d. Exit code 0, 1 when it may work another time, 2 for what is wrong. See docs/identity.md.",
	  cli_ca },
	{ "certs", "FILE... [--ca BUNDLE] [--key KEY] [--id ID] [--svid] [--expires-within 7d] [-o text|json]",
	  "Shows certificates, and why they don't verify",
	  "FILE is PEM, the leaf first, then its intermediates; `-` is standard input.\n"
	  "\n"
	  "  --ca BUNDLE            whom to trust: the chain must lead there\n"
	  "  --key KEY              must be the leaf's private key\n"
	  "  --svid                 the leaf must be an X.509-SVID; it is also judged as one when it has a SPIFFE ID\n"
	  "  --id ID                ... with this SPIFFE ID\n"
	  "  --expires-within TIME  an earlier end is a fault: 12h, 7d\n"
	  "\n"
	  "Exit code 0 when there is no fault, 1 when there is, 2 when a file can't be read.",
	  cli_certs },
	{ "version", "", "Prints the version", "", cli_version },
	{ "help", "[COMMAND | linkerd]", "Explains a command, or lists the keys of a configuration", "", cli_help },
	{ NULL, NULL, NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	return cli_main(commands, argc, argv);
}
