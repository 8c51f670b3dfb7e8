/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree: a real directory with what the host has below /dev and /sys, so that libc and the real
 * kernel can walk it (directories, links, "..", descriptors of directories). A device node is a
 * FIFO there, an attribute an empty file: nothing in it is ever read, only names, kinds and modes.
 *
 * The supervisor makes and removes it; whoever is asked for a path of ours brings it up to date.
 * A tree whose supervisor was killed is removed by the next.
 */
#ifndef SWTIO_SHIM_TREE_H
#define SWTIO_SHIM_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define SHIM_ENV_TREE "SWTIO_TREE" /* the tree's own path */
#define TREE_PATH 640u
#define TREE_QUEUES "queues" /* a directory of the tree for what is no path of the host */

/* -- the supervisor's -- */
/* An empty tree of this process, removed by tree_remove(); first those of dead ones. 0 or -errno. */
int tree_make(char path[TREE_PATH]);
void tree_remove(const char *path);

/* -- a client's -- */
struct tree_place {
	char real[TREE_PATH];	/* in the tree, links followed */
	const char *path;	/* the same as the host calls it; points into `real` */
	struct stat st;		/* of what is there in the tree */
};
#define TREE_NOT_OURS (-4096)
/* What `path` names, relative to `dir` as for openat(); `link`: of a link the link itself. 0,
 * -errno, or TREE_NOT_OURS. No system call when it is not. */
int tree_find(int dir, const char *path, bool link, struct tree_place *place);
/* No system call: may it be ours? */
bool tree_maybe(int dir, const char *path);
/* The host's name of what is in the tree, or NULL when it is not there. */
const char *tree_strip(const char *real);

/* Descriptors of what is in the tree, and the working directory. */
bool tree_fd(int fd);
void tree_fd_mark(int fd, bool is);
int tree_fd_find(int fd, struct tree_place *place);
bool tree_cwd(void);
void tree_cwd_mark(bool is);
/* At the start of a program. */
void tree_inherit(void);

#endif
