/* SPDX-License-Identifier: BSD-2-Clause */
/* Linked statically: what the drop-in cannot reach. */
#include <stdio.h>

int main(void)
{
	puts("ran");
	return 0;
}
