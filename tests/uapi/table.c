/* SPDX-License-Identifier: BSD-2-Clause */
/* One header's numbers, as the compiler has them. */
#include <stddef.h>
#include ABI_HEADER
#ifdef ABI_MORE
#include ABI_MORE
#endif

#include "abi.h"

#define NUMBER(name) { #name, (unsigned long long)(name) },
#define SIZE(type) { "sizeof " #type, sizeof(type) },
#define FIELD(type, field) { #type "." #field, offsetof(type, field) }, \
	{ "sizeof " #type "." #field, sizeof(((type *)0)->field) },

const struct abi_entry ABI_TABLE[] = {
#include ABI_DEF
	{ NULL, 0 }
};
