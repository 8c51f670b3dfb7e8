/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree as the supervisor sees it: one directory, locked while its maker lives. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "shim/tree.h"

#define PREFIX "swtio-tree-"

static const char *place(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir == '/' ? dir : "/tmp";
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

void tree_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Locked, so alive; the descriptor stays open for as long as this process lives. */
static bool lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return false;
	if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st) && st.st_uid == geteuid() &&
		st.st_nlink)
		return true;
	close(fd);
	return false;
}

static void sweep(void)
{
	DIR *dir = opendir(place());
	struct dirent *entry;
	char path[TREE_PATH];

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1))
			continue;
		snprintf(path, sizeof(path), "%s/%s", place(), entry->d_name);
		if (lock(path))
			tree_remove(path);
	}
	if (dir)
		closedir(dir);
}

int tree_make(char path[TREE_PATH])
{
	char real[PATH_MAX], queues[TREE_PATH];

	sweep();
	/* One that another's sweep takes between making and locking is made again. */
	for (unsigned int i = 0; i < 8; i++) {
		snprintf(path, TREE_PATH, "%s/" PREFIX "XXXXXX", place());
		if (!mkdtemp(path))
			return -errno;
		if (!lock(path))
			continue;
		if (!realpath(path, real) || strlen(real) >= TREE_PATH / 4)
			return -ENAMETOOLONG;
		strcpy(path, real);
		snprintf(queues, sizeof(queues), "%s/" TREE_QUEUES, path);
		return mkdir(queues, 0700) ? -errno : 0;
	}
	return -EAGAIN;
}
