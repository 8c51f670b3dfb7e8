/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.6: the cases as a plain program, on Linux with /dev/iommu or under exec. 77: none there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cases.h"

static long do_ioctl(void *ctx, unsigned int cmd, uint64_t arg)
{
	int rc = ioctl(*(int *)ctx, cmd, arg);

	return rc < 0 ? -errno : rc;
}

int main(void)
{
	int bad = 0;

	for (unsigned int i = 0; i < sequence_count; i++) {
		int fd = open("/dev/iommu", O_RDWR);
		const struct client client = { do_ioctl, &fd };
		const char *why;

		if (fd < 0) {
			puts("skipped: no /dev/iommu here");
			return 77;
		}
		why = sequence_run(&sequences[i], &client);
		printf("%s - %s%s%s\n", why ? "not ok" : "ok", sequences[i].name, why ? ": " : "",
		       why ? why : "");
		bad |= why != NULL;
		close(fd);
	}
	return bad;
}
