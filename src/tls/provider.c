/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's default provider keeps an EC_KEY as an EC key, whose functions are deprecated for those who should not know that. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "tls/key_schedule.h"

/* Of TLS's curves those whose order is prime, and so their cofactor 1. */
static const int curves[] = { NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1 };
enum { CURVES = sizeof curves / sizeof curves[0] };

/* There is one OpenSSL in a process, so this is state of the process too. Written by provider_start alone. */
static struct {
	OSSL_LIB_CTX *apart;
	OSSL_PROVIDER *below; /* OpenSSL's default provider, in that library context of its own */
	EC_GROUP *groups[CURVES];
	OSSL_FUNC_keymgmt_validate_fn *validate;
	OSSL_FUNC_keymgmt_gen_init_fn *gen_init;
	OSSL_FUNC_keymgmt_gen_set_template_fn *gen_set_template;
	OSSL_FUNC_keymgmt_gen_set_params_fn *gen_set_params;
	OSSL_FUNC_keymgmt_gen_fn *gen;
	OSSL_FUNC_keymgmt_gen_cleanup_fn *gen_cleanup;
	const OSSL_ALGORITHM *keys, *derivations; /* what it has, with ours in it */
} self;

/* --- EC keys --- */

static const EC_GROUP *group_of(int curve)
{
	for (unsigned i = 0; i < CURVES; i++) {
		if (curves[i] == curve)
			return self.groups[i];
	}
	return NULL;
}

static int validate(const void *key, int selection, int how)
{
	const EC_GROUP *group = EC_KEY_get0_group(key);

	if (selection == OSSL_KEYMGMT_SELECT_PUBLIC_KEY && group && group_of(EC_GROUP_get_curve_name(group)))
		how = OSSL_KEYMGMT_VALIDATE_QUICK_CHECK;
	return self.validate(key, selection, how);
}

/* A key that is being made. Where nothing but a curve of ours was asked for, OpenSSL's own isn't told: it would set the curve up. */
struct making {
	void *theirs;
	const EC_GROUP *group; /* NULL: theirs makes it */
	int selection;
};

static void making_end(void *at)
{
	struct making *making = at;

	if (!making)
		return;
	self.gen_cleanup(making->theirs);
	OPENSSL_free(making);
}

/* From now on theirs makes it. */
static int leave_to_theirs(struct making *making)
{
	char name[32];
	OSSL_PARAM group[2];

	if (!making->group)
		return 1;
	snprintf(name, sizeof name, "%s", OBJ_nid2sn(EC_GROUP_get_curve_name(making->group)));
	group[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0); /* reads it for its length */
	group[1] = OSSL_PARAM_construct_end();
	making->group = NULL;
	return self.gen_set_params(making->theirs, group);
}

static int making_set(void *at, const OSSL_PARAM parameters[])
{
	struct making *making = at;
	const char *name;

	if (!parameters || !parameters->key)
		return 1;
	if (strcmp(parameters->key, OSSL_PKEY_PARAM_GROUP_NAME) == 0 && !parameters[1].key &&
		OSSL_PARAM_get_utf8_string_ptr(parameters, &name)) {
		making->group = group_of(OBJ_sn2nid(name));
		if (making->group)
			return 1;
	}
	return leave_to_theirs(making) && self.gen_set_params(making->theirs, parameters);
}

static void *making_begin(void *provider, int selection, const OSSL_PARAM parameters[])
{
	struct making *making = OPENSSL_zalloc(sizeof *making);

	if (!making)
		return NULL;
	making->selection = selection;
	making->theirs = self.gen_init(provider, selection, NULL);
	if (!making->theirs) {
		OPENSSL_free(making);
		return NULL;
	}
	if (!making_set(making, parameters)) {
		making_end(making);
		return NULL;
	}
	return making;
}

/* As another key: of the same curve. */
static int making_like(void *at, void *key)
{
	struct making *making = at;
	const EC_GROUP *group = EC_KEY_get0_group(key);

	making->group = NULL;
	if (group && EC_GROUP_get_asn1_flag(group) == OPENSSL_EC_NAMED_CURVE &&
		EC_GROUP_get_point_conversion_form(group) == POINT_CONVERSION_UNCOMPRESSED)
		making->group = group_of(EC_GROUP_get_curve_name(group));
	return making->group || self.gen_set_template(making->theirs, key);
}

static void *make(void *at, OSSL_CALLBACK *progress, void *to)
{
	struct making *making = at;
	EC_KEY *key;

	if (!making->group)
		return self.gen(making->theirs, progress, to);
	key = EC_KEY_new_ex(self.apart, NULL);
	if (!key)
		return NULL;
	if (!EC_KEY_set_group(key, making->group) || ((making->selection & OSSL_KEYMGMT_SELECT_KEYPAIR) && !EC_KEY_generate_key(key))) {
		EC_KEY_free(key);
		return NULL;
	}
	return key;
}

/* --- what the provider has --- */

static size_t count_functions(const OSSL_DISPATCH *functions)
{
	size_t count = 0;

	while (functions[count].function_id != 0)
		count++;
	return count;
}

/* Ours takes the place of OpenSSL's function, which is kept. */
static void replace_one(OSSL_DISPATCH *one)
{
	switch (one->function_id) {
	case OSSL_FUNC_KEYMGMT_VALIDATE:
		self.validate = (OSSL_FUNC_keymgmt_validate_fn *)one->function;
		one->function = (void (*)(void))validate;
		break;
	case OSSL_FUNC_KEYMGMT_GEN_INIT:
		self.gen_init = (OSSL_FUNC_keymgmt_gen_init_fn *)one->function;
		one->function = (void (*)(void))making_begin;
		break;
	case OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE:
		self.gen_set_template = (OSSL_FUNC_keymgmt_gen_set_template_fn *)one->function;
		one->function = (void (*)(void))making_like;
		break;
	case OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS:
		self.gen_set_params = (OSSL_FUNC_keymgmt_gen_set_params_fn *)one->function;
		one->function = (void (*)(void))making_set;
		break;
	case OSSL_FUNC_KEYMGMT_GEN:
		self.gen = (OSSL_FUNC_keymgmt_gen_fn *)one->function;
		one->function = (void (*)(void))make;
		break;
	case OSSL_FUNC_KEYMGMT_GEN_CLEANUP:
		self.gen_cleanup = (OSSL_FUNC_keymgmt_gen_cleanup_fn *)one->function;
		one->function = (void (*)(void))making_end;
		break;
	default:
		break;
	}
}

/* A copy of OpenSSL's functions for EC keys, with ours in it. It lives as long as the process. */
static const OSSL_DISPATCH *ec_functions(const OSSL_DISPATCH *theirs)
{
	size_t count = count_functions(theirs);
	OSSL_DISPATCH *functions = memory_array(count + 1, sizeof *functions);

	for (size_t i = 0; i < count; i++) {
		functions[i] = theirs[i];
		replace_one(&functions[i]);
	}
	CHECK(self.validate && self.gen_init && self.gen_set_template && self.gen_set_params && self.gen && self.gen_cleanup);
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

	for (;; algorithms++) {
		const char *names = algorithms->algorithm_names;

		CHECK(names); /* OpenSSL has it */
		if (strncmp(names, name, length) == 0 && (names[length] == ':' || names[length] == '\0'))
			return algorithms;
	}
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
	if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() != 0)
		return;
	self.apart = OSSL_LIB_CTX_new();
	self.below = self.apart ? OSSL_PROVIDER_load(self.apart, "default") : NULL;
	if (!self.below)
		check_out_of_memory("OpenSSL");
	for (unsigned i = 0; i < CURVES; i++) {
		self.groups[i] = EC_GROUP_new_by_curve_name_ex(self.apart, NULL, curves[i]);
		if (!self.groups[i])
			check_out_of_memory("OpenSSL");
	}
	replace();
	/* Where a provider is loaded by name, OpenSSL adds none by itself. */
	if (!OSSL_PROVIDER_add_builtin(NULL, "weft", begin) || !OSSL_PROVIDER_load(NULL, "weft"))
		check_out_of_memory("OpenSSL");
}
