/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories: libc walks the tree's in place of the host's, and what it says of paths loses the
 * tree's own.
 */
#include <errno.h>
#include <string.h>

#include "shim/shim.h"
#include "shim/tree.h"

#define EXPORT SHIM_EXPORT

/* A path to give to libc in place of the client's; -1 and errno: NULL. */
static const char *instead(int dir, const char *path, struct tree_place *place)
{
	int rc = tree_find(dir, path, false, place);

	if (rc == TREE_NOT_OURS)
		return path;
	if (!rc)
		return place->real;
	errno = -rc;
	return NULL;
}

/* -- streams ------------------------------------------------------------------------------------- */

EXPORT DIR *opendir(const char *path)
{
	struct tree_place place;
	const char *real = instead(AT_FDCWD, path, &place);
	DIR *dir = real ? shim_libc()->opendir(real) : NULL;

	if (dir && real != path)
		tree_fd_mark(dirfd(dir), true);
	return dir;
}

EXPORT int closedir(DIR *dir)
{
	tree_fd_mark(dirfd(dir), false);
	return shim_libc()->closedir(dir);
}

/* A FIFO in the tree is a device. */
#define READDIR(name, type)                                                                        \
	EXPORT struct type *name(DIR *dir)                                                         \
	{                                                                                          \
		struct type *entry = shim_libc()->name(dir);                                       \
		if (entry && entry->d_type == DT_FIFO && tree_fd(dirfd(dir)))                      \
			entry->d_type = DT_CHR;                                                    \
		return entry;                                                                      \
	}
READDIR(readdir, dirent)
READDIR(readdir64, dirent64)

typedef int (*select_fn)(const struct dirent *);
typedef int (*order_fn)(const struct dirent **, const struct dirent **);

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "one layout for both");

static int scan(int at, const char *path, struct dirent ***list, select_fn select, order_fn order)
{
	struct tree_place place;
	const char *real = instead(at, path, &place);
	int n = real ? shim_libc()->scandirat(at, real, list, select, order) : -1;

	for (int i = 0; i < n && real != path; i++)
		if ((*list)[i]->d_type == DT_FIFO)
			(*list)[i]->d_type = DT_CHR;
	return n;
}

EXPORT int scandir(const char *restrict path, struct dirent ***restrict list, select_fn select,
	order_fn order)
{
	return scan(AT_FDCWD, path, list, select, order);
}

EXPORT int scandirat(int at, const char *restrict path, struct dirent ***restrict list,
	select_fn select, order_fn order)
{
	return scan(at, path, list, select, order);
}

EXPORT int scandir64(const char *restrict path, struct dirent64 ***restrict list,
	int (*select)(const struct dirent64 *),
	int (*order)(const struct dirent64 **, const struct dirent64 **))
{
	return scan(AT_FDCWD, path, (struct dirent ***)list, (select_fn)select, (order_fn)order);
}

/* -- where one is -------------------------------------------------------------------------------- */

EXPORT int chdir(const char *path)
{
	struct tree_place place;
	const char *real = instead(AT_FDCWD, path, &place);
	int rc = real ? shim_libc()->chdir(real) : -1;

	if (!rc)
		tree_cwd_mark(real != path);
	return rc;
}

EXPORT int fchdir(int fd)
{
	int rc = shim_libc()->fchdir(fd);

	if (!rc)
		tree_cwd_mark(tree_fd(fd));
	return rc;
}

EXPORT char *getcwd(char *to, size_t len)
{
	char *at = shim_libc()->getcwd(to, len);
	const char *path = at && tree_cwd() ? tree_strip(at) : NULL;

	if (path)
		memmove(at, path, strlen(path) + 1);
	return at;
}

EXPORT char *get_current_dir_name(void)
{
	return getcwd(NULL, 0);
}

EXPORT char *__getcwd_chk(char *to, size_t len, size_t room);
EXPORT char *__getcwd_chk(char *to, size_t len, size_t room)
{
	if (len > room)
		abort();
	return getcwd(to, len);
}

/* The tree's path and no link in it: found is resolved. */
EXPORT char *realpath(const char *restrict path, char *restrict resolved)
{
	struct tree_place place;
	const char *real = path ? instead(AT_FDCWD, path, &place) : NULL;

	if (real == path)
		return shim_libc()->realpath(path, resolved);
	if (!real)
		return NULL;
	if (!resolved)
		return strdup(place.path);
	return strcpy(resolved, place.path);
}

EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room);
EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room)
{
	if (room < PATH_MAX)
		abort();
	return realpath(path, resolved);
}

EXPORT char *canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}

/* -- walks --------------------------------------------------------------------------------------- */

/* The walk this thread is in: libc's callback has no argument of ours. */
static __thread struct walk {
	__nftw_func_t fn;
	size_t skip; /* the tree's own path */
} walk;

static int walk_step(const char *real, const struct stat *st, int type, struct FTW *ftw)
{
	struct FTW at = {.base = ftw->base - (int)walk.skip, .level = ftw->level};
	struct tree_place place = {.path = real + walk.skip, .st = *st};
	struct stat seen = *st;

	if (type != FTW_NS)
		shim_place_stat(&place, &seen);
	return walk.fn(place.path, &seen, type, &at);
}

static int walk_tree(const struct tree_place *place, __nftw_func_t fn, int count, int flags)
{
	struct walk outer = walk;
	int rc;

	walk = (struct walk){fn, (size_t)(place->path - place->real)};
	rc = shim_libc()->nftw(place->real, walk_step, count, flags);
	walk = outer;
	return rc;
}

EXPORT int nftw(const char *path, __nftw_func_t fn, int count, int flags)
{
	struct tree_place place;
	const char *real = instead(AT_FDCWD, path, &place);

	if (!real)
		return -1;
	return real == path ? shim_libc()->nftw(path, fn, count, flags)
			    : walk_tree(&place, fn, count, flags);
}

EXPORT int nftw64(const char *path, __nftw64_func_t fn, int count, int flags)
{
	struct tree_place place;
	const char *real = instead(AT_FDCWD, path, &place);

	if (!real)
		return -1;
	return real == path ? shim_libc()->nftw64(path, fn, count, flags)
			    : walk_tree(&place, (__nftw_func_t)fn, count, flags);
}

/* A pattern of ours begins with a path of ours; what comes before the first '*' says. */
static int glob_tree(const char *pattern, int flags, int (*error)(const char *, int), glob_t *found)
{
	size_t top = strlen(shim_environment()->value[SHIM_TREE]);
	char full[TREE_PATH];
	int rc;

	if (top + strlen(pattern) >= sizeof(full))
		return GLOB_NOMATCH;
	snprintf(full, sizeof(full), "%s%s", shim_environment()->value[SHIM_TREE], pattern);
	rc = shim_libc()->glob(full, flags, error, found);
	for (size_t i = 0; !rc && i < found->gl_pathc; i++) {
		char *path = found->gl_pathv[i + (flags & GLOB_DOOFFS ? found->gl_offs : 0)];

		if (tree_strip(path))
			memmove(path, path + top, strlen(path + top) + 1);
	}
	return rc;
}

static bool glob_ours(const char *pattern)
{
	struct tree_place place;
	char dir[TREE_PATH];
	size_t n = strcspn(pattern, "*?[{");

	while (n && pattern[n - 1] != '/')
		n--;
	if (n < 2 || n >= sizeof(dir))
		return false;
	memcpy(dir, pattern, n - 1);
	dir[n - 1] = '\0';
	return !tree_find(AT_FDCWD, dir, false, &place);
}

EXPORT int glob(const char *restrict pattern, int flags, int (*error)(const char *, int),
	glob_t *restrict found)
{
	return pattern[0] == '/' && glob_ours(pattern)
		       ? glob_tree(pattern, flags, error, found)
		       : shim_libc()->glob(pattern, flags, error, found);
}

_Static_assert(sizeof(glob_t) == sizeof(glob64_t), "one layout for both");

EXPORT int glob64(const char *restrict pattern, int flags, int (*error)(const char *, int),
	glob64_t *restrict found)
{
	return pattern[0] == '/' && glob_ours(pattern)
		       ? glob_tree(pattern, flags, error, (glob_t *)found)
		       : shim_libc()->glob64(pattern, flags, error, found);
}
