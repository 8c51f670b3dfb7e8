/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A key is parsed, and a chain verified, once a process. Nothing depends on what is in here but
 * time: an id is a hash of all that went into the answer.
 */
#include "spdm/crypto.h"

#include <pthread.h>
#include <string.h>

#define CACHE_SLOTS 32u

/* Guards slots and next; held over copies only. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint8_t id[SPDM_HASH];
	EVP_PKEY *key;
} slots[CACHE_SLOTS];
static unsigned int next;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* A client may fork while another of its threads is in here. */
static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

static void fork_done(void)
{
	pthread_mutex_unlock(&lock);
}

static void fork_guard(void)
{
	pthread_atfork(fork_prepare, fork_done, fork_done);
}

EVP_PKEY *spdm_cache_get(const uint8_t id[SPDM_HASH])
{
	EVP_PKEY *key = NULL;

	pthread_once(&fork_once, fork_guard);
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < CACHE_SLOTS && !key; i++)
		if (slots[i].key && !memcmp(slots[i].id, id, SPDM_HASH))
			key = slots[i].key;
	if (key && !EVP_PKEY_up_ref(key))
		key = NULL;
	pthread_mutex_unlock(&lock);
	return key;
}

void spdm_cache_put(const uint8_t id[SPDM_HASH], EVP_PKEY *key)
{
	EVP_PKEY *old;

	if (!EVP_PKEY_up_ref(key))
		return;
	pthread_once(&fork_once, fork_guard);
	pthread_mutex_lock(&lock);
	old = slots[next].key;
	slots[next].key = key;
	memcpy(slots[next].id, id, SPDM_HASH);
	next = (next + 1) % CACHE_SLOTS;
	pthread_mutex_unlock(&lock);
	EVP_PKEY_free(old);
}

void spdm_cache_forget(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < CACHE_SLOTS; i++) {
		EVP_PKEY_free(slots[i].key);
		slots[i].key = NULL;
	}
	pthread_mutex_unlock(&lock);
}
