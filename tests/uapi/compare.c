/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2: the numbers, sizes and offsets of our headers against the kernel's. */
#include <stdio.h>

#include "abi.h"

#pragma weak abi_linux		/* not there: the kernel's headers were not given */

int main(void)
{
	int bad = 0;

	if (!abi_linux) {
		puts("skipped: built without -Dlinux_headers");
		return 77;
	}
	for (int i = 0; abi_ours[i].what; i++) {
		if (abi_ours[i].value == abi_linux[i].value)
			continue;
		printf("%s: ours %#llx, Linux %#llx\n", abi_ours[i].what, abi_ours[i].value, abi_linux[i].value);
		bad = 1;
	}
	return bad;
}
