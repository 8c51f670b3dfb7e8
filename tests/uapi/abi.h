/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SWTIO_TESTS_UAPI_ABI_H
#define SWTIO_TESTS_UAPI_ABI_H

struct abi_entry { const char *what; unsigned long long value; };	/* the last has no what */
extern const struct abi_entry abi_ours[], abi_linux[];

#endif
