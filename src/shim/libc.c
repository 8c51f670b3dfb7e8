/* SPDX-License-Identifier: BSD-2-Clause */
/* libc behind us, and the environment. */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "shim/shim.h"

const struct shim_libc *shim_libc(void)
{
	static struct shim_libc libc;
	static bool known;
#define NAME(name) {#name, offsetof(struct shim_libc, name)},
	static const struct {
		const char *name;
		size_t at;
	} names[] = {SHIM_LIBC(NAME)};
#undef NAME

	if (__atomic_load_n(&known, __ATOMIC_ACQUIRE))
		return &libc;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *symbol = dlsym(RTLD_NEXT, names[i].name);

		memcpy((char *)&libc + names[i].at, &symbol, sizeof(symbol));
	}
	__atomic_store_n(&known, true, __ATOMIC_RELEASE);
	return &libc;
}

long shim_as_libc(long result)
{
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

const char *const shim_value_names[SHIM_VALUES] = {"SWTIO_IMAGE", "SWTIO_FILES", "SWTIO_TREE"};

const struct shim_environment *shim_environment(void)
{
	static struct shim_environment saved;
	static bool read;
	Dl_info info;

	if (read)
		return &saved;
	read = true;
	saved.there = dladdr(&read, &info) && info.dli_fname &&
		      strlen(info.dli_fname) < sizeof(saved.self);
	if (saved.there)
		strcpy(saved.self, info.dli_fname);
	for (unsigned int i = 0; i < SHIM_VALUES; i++) {
		const char *value = getenv(shim_value_names[i]);
		int n = snprintf(saved.entry[i], sizeof(saved.entry[i]), "%s=%s",
			shim_value_names[i], value ? value : "");

		saved.value[i] = saved.entry[i] + strlen(shim_value_names[i]) + 1;
		if (!value || n >= (int)sizeof(saved.entry[i]))
			saved.there = false;
	}
	return &saved;
}
