/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's default provider keeps an EC_KEY as an EC key, whose functions are deprecated for those who should not know that. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "tls/key_schedule.h"

/* There is one OpenSSL in a process, so this is state of the process too. Written by provider_start alone. */
static struct {
	OSSL_PROVIDER *below; /* OpenSSL's default provider, in a library context of its own */
	OSSL_FUNC_keymgmt_validate_fn *validate;
	const OSSL_ALGORITHM *keys, *derivations; /* what it has, with ours in it */
} self;

/* --- EC keys --- */

/* Of TLS's curves those whose order is prime, and so their cofactor 1. */
static bool is_of_prime_order(const EC_GROUP *group)
{
	int curve = group ? EC_GROUP_get_curve_name(group) : NID_undef;

	return curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1;
}

static int validate(const void *key, int selection, int how)
{
	if (selection == OSSL_KEYMGMT_SELECT_PUBLIC_KEY && is_of_prime_order(EC_KEY_get0_group(key)))
		how = OSSL_KEYMGMT_VALIDATE_QUICK_CHECK;
	return self.validate(key, selection, how);
}

/* --- what the provider has --- */

static size_t count_functions(const OSSL_DISPATCH *functions)
{
	size_t count = 0;

	while (functions[count].function_id != 0)
		count++;
	return count;
}

/* A copy of OpenSSL's functions for EC keys, with ours in it. It lives as long as the process. */
static const OSSL_DISPATCH *ec_functions(const OSSL_DISPATCH *theirs)
{
	size_t count = count_functions(theirs);
	OSSL_DISPATCH *functions = memory_array(count + 1, sizeof *functions);

	for (size_t i = 0; i < count; i++) {
		functions[i] = theirs[i];
		if (theirs[i].function_id == OSSL_FUNC_KEYMGMT_VALIDATE) {
			self.validate = (OSSL_FUNC_keymgmt_validate_fn *)theirs[i].function;
			functions[i].function = (void (*)(void))validate;
		}
	}
	CHECK(self.validate);
	return functions;
}

static const OSSL_ALGORITHM *query_below(int operation)
{
	int changing = 0;
	const OSSL_ALGORITHM *algorithms = OSSL_PROVIDER_query_operation(self.below, operation, &changing);

	CHECK(algorithms && !changing);
	return algorithms;
}

/* A copy of the algorithms for an operation, to change; ended as theirs. */
static OSSL_ALGORITHM *copy_below(int operation)
{
	const OSSL_ALGORITHM *theirs = query_below(operation);
	size_t count = 0;

	while (theirs[count].algorithm_names)
		count++;
	OSSL_ALGORITHM *ours = memory_array(count + 1, sizeof *ours);
	memcpy(ours, theirs, (count + 1) * sizeof *ours);
	return ours;
}

/* Names are separated by colons, the best known first. */
static OSSL_ALGORITHM *find(OSSL_ALGORITHM *algorithms, const char *name)
{
	size_t length = strlen(name);

	for (; algorithms->algorithm_names; algorithms++) {
		const char *names = algorithms->algorithm_names;

		if (strncmp(names, name, length) == 0 && (names[length] == ':' || names[length] == '\0'))
			return algorithms;
	}
	CHECK(!"OpenSSL has the algorithm");
	return NULL;
}

static void replace(void)
{
	OSSL_ALGORITHM *keys = copy_below(OSSL_OP_KEYMGMT), *derivations = copy_below(OSSL_OP_KDF);
	OSSL_ALGORITHM *ec = find(keys, "EC");

	ec->implementation = ec_functions(ec->implementation);
	find(derivations, "TLS13-KDF")->implementation = key_schedule_functions;
	self.keys = keys;
	self.derivations = derivations;
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return self.keys;
	if (operation == OSSL_OP_KDF)
		return self.derivations;
	return OSSL_PROVIDER_query_operation(self.below, operation, no_cache);
}

static int tell_capabilities(void *provider, const char *capability, OSSL_CALLBACK *tell, void *to)
{
	(void)provider;
	return OSSL_PROVIDER_get_capabilities(self.below, capability, tell, to);
}

static int begin(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *offered, const OSSL_DISPATCH **functions, void **provider)
{
	static const OSSL_DISPATCH ours[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))tell_capabilities },
		{ 0, NULL },
	};

	(void)core;
	(void)offered;
	*functions = ours;
	*provider = OSSL_PROVIDER_get0_provider_ctx(self.below); /* its functions are called with what it knows */
	return 1;
}

void provider_start(void)
{
	OSSL_LIB_CTX *apart;

	if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() != 0)
		return;
	apart = OSSL_LIB_CTX_new();
	self.below = apart ? OSSL_PROVIDER_load(apart, "default") : NULL;
	if (!self.below)
		check_out_of_memory("OpenSSL");
	replace();
	/* Where a provider is loaded by name, OpenSSL adds none by itself. */
	if (!OSSL_PROVIDER_add_builtin(NULL, "weft", begin) || !OSSL_PROVIDER_load(NULL, "weft"))
		check_out_of_memory("OpenSSL");
}
