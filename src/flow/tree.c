/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder of flows, as far as a flow may look into it. A flow can come from anybody: what it
 * includes is named from inside the tree, reached without symbolic links, a plain file, and small.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/parse.h"

#define FILE_MAX (256u << 10)
#define TREE "/flows/"

/* The length of the top folder's path, with its slash: up to the last "/flows/", or the flow's own. */
static size_t top_length(const char *path)
{
	const char *at = path, *top = NULL;

	while ((at = strstr(at, TREE)) != NULL) {
		top = at + strlen(TREE);
		at++;
	}
	if (!top)
		top = strrchr(path, '/') + 1;
	return (size_t)(top - path);
}

void flow_tree_open(const char *path, struct flow_tree *tree)
{
	char folder[PATH_MAX], whole[PATH_MAX + FLOW_PATH];
	const char *name = path ? strrchr(path, '/') : NULL;
	size_t length;

	*tree = (struct flow_tree){ .root = -1 };
	if (!path)
		return;
	name = name ? name + 1 : path;
	length = (size_t)(name - path);
	if (length >= sizeof(folder) || strlen(name) >= FLOW_PATH)
		return;
	snprintf(whole, sizeof(whole), "%.*s", (int)length, path);
	if (!realpath(length ? whole : ".", folder))
		return;
	snprintf(whole, sizeof(whole), "%s/%s", strcmp(folder, "/") ? folder : "", name);
	length = top_length(whole);
	if (strlen(whole + length) >= sizeof(tree->path))
		return;
	strcpy(tree->path, whole + length);
	whole[length] = '\0';
	tree->root = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void flow_tree_close(struct flow_tree *tree)
{
	if (tree->root >= 0)
		close(tree->root);
	tree->root = -1;
}

static int path_up(char *path, size_t *used)
{
	char *slash;

	if (!*used)
		return -EXDEV;
	path[*used] = '\0';
	slash = strrchr(path, '/');
	*used = slash ? (size_t)(slash - path) : 0;
	return 0;
}

int flow_tree_resolve(const char *from, const char *name, char path[FLOW_PATH])
{
	const char *slash = strrchr(from, '/');
	size_t used = slash ? (size_t)(slash - from) : 0, n;

	if (*name == '/' || !*name)
		return -EINVAL;
	if (used >= FLOW_PATH)
		return -ENAMETOOLONG;
	memcpy(path, from, used);
	for (; *name; name += n + (name[n] == '/')) {
		n = strcspn(name, "/");
		if (!n || (n == 1 && *name == '.'))
			continue;
		if (n == 2 && !strncmp(name, "..", 2)) {
			if (path_up(path, &used))
				return -EXDEV;
			continue;
		}
		if (used + n + 2 > FLOW_PATH)
			return -ENAMETOOLONG;
		if (used)
			path[used++] = '/';
		memcpy(path + used, name, n);
		used += n;
	}
	path[used] = '\0';
	return used ? 0 : -EINVAL;
}

/* Folder by folder, so that no link on the way leads out. O_NONBLOCK: a FIFO must not hang us. */
static int file_open(int root, const char *path)
{
	int at = dup(root), next;
	char name[FLOW_PATH];
	size_t n;

	for (; at >= 0; at = next, path += n + 1) {
		bool last;

		n = strcspn(path, "/");
		last = !path[n];
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		next = openat(at, name, O_NOFOLLOW | O_CLOEXEC |
			      (last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY));
		if (next < 0)
			next = -errno;
		close(at);
		if (last || next < 0)
			return next;
	}
	return -errno;
}

static int file_text(int fd, size_t size, char **text)
{
	char *to = malloc(size + 1);
	size_t used = 0;
	ssize_t n = 1;

	if (!to)
		return -ENOMEM;
	while (used < size && n > 0) {
		n = read(fd, to + used, size - used);
		used += n > 0 ? (size_t)n : 0;
	}
	to[used] = '\0';
	*text = to;
	return 0;
}

int flow_tree_read(const struct flow_tree *tree, const char *path, char **text)
{
	int fd = file_open(tree->root, path), rc;
	struct stat stat;

	if (fd < 0)
		return fd;
	if (fstat(fd, &stat))
		rc = -errno;
	else if (!S_ISREG(stat.st_mode))
		rc = -EINVAL;
	else if (stat.st_size > FILE_MAX)
		rc = -EFBIG;
	else
		rc = file_text(fd, (size_t)stat.st_size, text);
	close(fd);
	return rc;
}
