/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fault injection by allocation number: /proc/PID/task/TID/fail-nth and the settings of failslab in
 * debugfs. A write of N makes the N-th allocation from there on fail, 0 turns that off; a read gives
 * what is left of N, so 0 when it fired. A task is a process here, and one at a time is armed.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/fault.h"

struct fault_root {
	bool spare_waiting;		/* failslab/ignore-gfp-wait: as all allocations here are */
	uint8_t verbose;
};

struct fault_nth {
	bool armed;
	uint32_t fired;			/* since the file was opened */
};

static const struct fault_root *root(void)
{
	return image_root(IMAGE_ROOT_FAULT);
}

static bool spare_waiting(void)
{
	return !root() || root()->spare_waiting;
}

/* -- settings --------------------------------------------------------------------------------- */

static int show_spare(char *text, size_t len)
{
	return snprintf(text, len, "%c\n", spare_waiting() ? 'Y' : 'N');
}

static int show_verbose(char *text, size_t len)
{
	return snprintf(text, len, "%d\n", root() ? root()->verbose : 2);
}

static struct fault_root *root_write(void)
{
	struct fault_root *new;

	if (root())
		return image_write(root());
	new = image_alloc(sizeof(*new), IMAGE_TYPE_ROOT);
	if (!new)
		return NULL;
	new->spare_waiting = true;
	new->verbose = 2;
	image_root_set(IMAGE_ROOT_FAULT, new);
	return new;
}

static int store_spare(struct fault_root *w, const char *text)
{
	if (!strchr("YyNn10", text[0]))
		return -EINVAL;
	w->spare_waiting = strchr("Yy1", text[0]);
	return 0;
}

static int store_verbose(struct fault_root *w, const char *text)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 0);
	if (end == text || *end || value > UINT8_MAX)
		return -EINVAL;
	w->verbose = (uint8_t)value;
	return 0;
}

static const struct setting {
	const char *name;
	int (*show)(char *text, size_t len);
	int (*store)(struct fault_root *w, const char *text);
} settings[] = {
	{ "ignore-gfp-wait", show_spare, store_spare },
	{ "verbose", show_verbose, store_verbose },
};

static const struct setting *setting_find(const char *path)
{
	static const char dir[] = FAULT_DEBUGFS "/failslab/";

	if (!kernel_options()->mock || strncmp(path, dir, sizeof(dir) - 1))
		return NULL;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!strcmp(path + sizeof(dir) - 1, settings[i].name))
			return &settings[i];
	return NULL;
}

int fault_list(const char *path, char *text, size_t len)
{
	if (!kernel_options()->mock)
		return -ENOENT;
	if (setting_find(path))
		return -ENOTDIR;
	if (!strcmp(path, FAULT_DEBUGFS))
		return snprintf(text, len, "failslab\n");
	if (strcmp(path, FAULT_DEBUGFS "/failslab"))
		return -ENOENT;
	return snprintf(text, len, "%s\n%s\n", settings[0].name, settings[1].name);
}

int fault_read(const char *path, char *text, size_t len)
{
	const struct setting *setting = setting_find(path);

	if (setting)
		return setting->show(text, len);
	return fault_list(path, text, len) < 0 ? -ENOENT : -EISDIR;
}

int fault_write(const char *path, const char *text, size_t len)
{
	const struct setting *setting = setting_find(path);
	struct fault_root *w;
	char value[16];

	if (!setting)
		return -ENOENT;
	if (len && text[len - 1] == '\n')
		len--;
	if (!len || len >= sizeof(value))
		return -EINVAL;
	memcpy(value, text, len);
	value[len] = '\0';
	w = root_write();
	return w ? setting->store(w, value) : -ENOMEM;
}

/* -- fail-nth --------------------------------------------------------------------------------- */

int fault_nth_open(const char *path, int flags, const struct file **file)
{
	struct fault_nth *nth;

	(void)flags;
	if (!kernel_options()->mock)
		return -ENOENT;
	nth = image_alloc(sizeof(*nth), IMAGE_TYPE_FAULT);
	*file = nth ? file_create(FILE_FAULT, nth, path) : NULL;
	return *file ? 0 : -ENOMEM;
}

static ssize_t nth_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct fault_nth *nth = file->priv;
	char text[16];
	int n = snprintf(text, sizeof(text), "%u\n",
			 nth->armed ? (unsigned int)image_fail_left() : 0);

	if (position >= (uint64_t)n)
		return 0;
	if (len > (uint64_t)n - position)
		len = (uint64_t)n - position;
	return copy_to_user(to, text + position, len) ? -EFAULT : (ssize_t)len;
}

/* A sweep is over when an allocation was waited for that never came. */
static void swept(const struct fault_nth *nth)
{
	char text[80];

	if (!nth->armed || !image_fail_left() || !nth->fired)
		return;
	snprintf(text, sizeof(text), "fail-nth: %u allocations failed, each in a run of its own",
		 nth->fired);
	task_notice(text);
}

static ssize_t nth_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	struct fault_nth *w = image_write((const struct fault_nth *)file->priv);
	unsigned long value;
	char text[16], *end;

	(void)position;
	if (!len || len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = '\0';
	value = strtoul(text, &end, 10);
	if (end == text || (*end && *end != '\n') || value > UINT32_MAX)
		return -EINVAL;
	if (w->armed && !image_fail_left())
		w->fired++;
	swept(w);
	w->armed = value && !spare_waiting();
	image_fail_nth(w->armed ? value : 0);
	return (ssize_t)len;
}

static void nth_release(const struct file *file)
{
	image_free(file->priv);
}

const struct file_ops fault_file_ops = {
	.name = "fail-nth",
	.read = nth_read,
	.write = nth_write,
	.release = nth_release,
};
