/* SPDX-License-Identifier: BSD-2-Clause */
/* The administrator: files of sysfs, written and read as a shell would. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "flow/parse.h"
#include "kernel/kernel.h"
#include "kernel/syscall.h"

static const struct task *admin(void)
{
	const struct task *task;

	image_enter();
	task = flow_task(FLOW_ADMIN, 0);
	image_leave();
	return task;
}

/* write PATH TEXT: echo TEXT > PATH. PATH is absolute, or relative to /sys/bus/pci/devices/. */
static int admin_open(const struct flow_action *action, int flags)
{
	char path[FLOW_TEXT + 32];
	const char *name = action->nargs ? action->args[0].value : "";

	if (action->nargs == 0)
		return -EDOM;
	snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/sys/bus/pci/devices/", name);
	return sys_open(admin(), path, flags);
}

static void admin_write(const struct flow_action *action, struct flow_result *result)
{
	int fd = action->nargs == 2 ? admin_open(action, O_WRONLY) : -EDOM;
	char text[FLOW_TEXT];		/* the task's own memory: the action lies in the image */

	result->rc = fd;
	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "%s", action->args[1].value);
	result->rc = sys_write(admin(), fd, text, strlen(text));
	sys_close(admin(), fd);
	if (result->rc > 0)
		result->rc = 0;
}

static void admin_read(const struct flow_action *action, struct flow_result *result)
{
	int fd = admin_open(action, O_RDONLY);
	ssize_t n;

	result->rc = fd;
	if (fd < 0)
		return;
	n = sys_read(admin(), fd, result->text, sizeof(result->text) - 1);
	sys_close(admin(), fd);
	result->rc = n;
	if (n < 0)
		return;
	result->text[n] = '\0';
	result->text[strcspn(result->text, "\n")] = '\0';
}

const struct flow_verb flow_admin_verbs[] = {
	{ "write", admin_write },
	{ "read", admin_read },
	{ NULL, NULL },
};
