/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree as clients use it: which names are ours, bringing it up to date, following links. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "kernel/pci/pci.h"
#include "kernel/syscall.h"
#include "shim/shim.h"
#include "shim/tree.h"

#define NAMES_MAX 16384u
#define TEXT_MAX 4096u

/* What the host has hides what is really there. */
static const char *const ours[] = {"/dev/iommu", "/dev/ioasid", "/dev/vfio", "/dev/kvm",
	"/sys/bus/pci", "/sys/class/tsm", "/sys/kernel/iommu_groups", "/sys/kernel/debug"};

static uint64_t fds[SHIM_FDS / 64];
static bool cwd;

/* -- names that may be ours --------------------------------------------------------------------- */

static const char *root(size_t *len)
{
	const char *path = shim_environment()->value[SHIM_TREE];

	*len = strlen(path);
	return path;
}

const char *tree_strip(const char *real)
{
	size_t n;
	const char *top = root(&n);

	return n && !strncmp(real, top, n) && (real[n] == '/' || !real[n]) ? real + n : NULL;
}

static bool is_ours(const char *path)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		size_t n = strlen(ours[i]);

		if (!strncmp(path, ours[i], n) && (path[n] == '/' || !path[n]))
			return true;
	}
	return false;
}

bool tree_maybe(int dir, const char *path)
{
	if (!path)
		return false;
	if (path[0] != '/')
		return dir == AT_FDCWD ? cwd : tree_fd(dir);
	return ((path[1] == 'd' || path[1] == 's') && is_ours(path)) || tree_strip(path);
}

/* -- bringing it up to date ---------------------------------------------------------------------- */

struct shim_root {
	uint64_t version; /* of what the tree shows */
};

struct names {
	char text[NAMES_MAX];
	size_t at;
};

/* A node's name below `dir`, one component of it. */
struct dev_list {
	const char *dir;
	struct names *names;
};

static bool names_have(const struct names *names, const char *name, size_t n)
{
	for (const char *line = names->text; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") == n && !memcmp(line, name, n))
			return true;
	return false;
}

static void dev_add(const struct path_node *node, void *arg)
{
	struct dev_list *list = arg;
	struct names *names = list->names;
	size_t n = strlen(list->dir);
	const char *rest = node->path + n + 1;
	size_t len;

	if (strncmp(node->path, list->dir, n) || node->path[n] != '/')
		return;
	len = strcspn(rest, "/");
	if (names_have(names, rest, len) || names->at + len + 2 > sizeof(names->text))
		return;
	memcpy(names->text + names->at, rest, len);
	names->at += len;
	names->text[names->at++] = '\n';
	names->text[names->at] = '\0';
}

static int names_of(const char *path, struct names *names)
{
	struct dev_list list = {path, names};

	names->at = 0;
	names->text[0] = '\0';
	if (strncmp(path, "/dev", 4))
		return pci_sysfs_list(path, names->text, sizeof(names->text));
	path_nodes(dev_add, &list);
	return names->at ? 0 : -ENOTDIR;
}

static void entry_remove(const char *real)
{
	struct dirent *entry;
	char path[TREE_PATH];
	DIR *dir;

	if (!unlink(real) || !rmdir(real))
		return;
	dir = shim_libc()->opendir(real);
	while (dir && (entry = shim_libc()->readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", real, entry->d_name);
		entry_remove(path);
	}
	if (dir)
		shim_libc()->closedir(dir);
	rmdir(real);
}

/* What is not a directory: its mode and, of a link, where it points. */
static mode_t leaf_mode(const char *path, char *text, size_t len)
{
	int n;

	if (!strncmp(path, "/dev", 4))
		return S_IFIFO | 0600;
	n = pci_sysfs_link(path, text, len - 1);
	if (n > 0) {
		text[n] = '\0';
		return S_IFLNK | 0777;
	}
	n = pci_sysfs_read(path, text, len);
	return n == -EACCES ? S_IFREG | 0200 : S_IFREG | 0644;
}

static void leaf_make(const char *real, const char *path)
{
	char text[TEXT_MAX], old[256];
	mode_t mode = leaf_mode(path, text, sizeof(text));
	ssize_t n;

	if (!S_ISLNK(mode)) {
		if (mknod(real, mode, 0) == 0)
			chmod(real, mode & 0777);
		return;
	}
	n = shim_libc()->readlink(real, old, sizeof(old) - 1);
	if (n >= 0) {
		old[n] = '\0';
		if (!strcmp(old, text))
			return;
		unlink(real);
	}
	if (symlink(text, real))
		return;
}

static void dir_clean(const char *real, const struct names *names)
{
	DIR *dir = shim_libc()->opendir(real);
	struct dirent *entry;
	char path[TREE_PATH];

	while (dir && (entry = shim_libc()->readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
			names_have(names, entry->d_name, strlen(entry->d_name)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", real, entry->d_name);
		entry_remove(path);
	}
	if (dir)
		shim_libc()->closedir(dir);
}

/* `real` is the path in the tree, of which what begins at `skip` is the host's name. */
static void bring_up(char *real, size_t skip)
{
	size_t n = strlen(real);
	struct names *names = malloc(sizeof(*names));

	if (!names)
		return;
	if (names_of(real + skip, names) < 0) {
		leaf_make(real, real + skip);
		free(names);
		return;
	}
	if (!mkdir(real, 0755))
		chmod(real, 0755);
	dir_clean(real, names);
	for (const char *name = names->text; *name; name += strcspn(name, "\n") + 1) {
		if (n + 1 + strcspn(name, "\n") >= TREE_PATH)
			continue;
		snprintf(real + n, TREE_PATH - n, "/%.*s", (int)strcspn(name, "\n"), name);
		bring_up(real, skip);
	}
	real[n] = '\0';
	free(names);
}

static long up_to_date(void *arg)
{
	static const char *const tops[] = {"/dev", "/sys"};
	const struct shim_root *state = image_root(IMAGE_ROOT_SHIM);
	uint64_t version = pci_sysfs_version();
	struct shim_root *w;
	char real[TREE_PATH];
	size_t n;

	(void)arg;
	if (!state) {
		state = image_alloc(sizeof(*state), IMAGE_TYPE_ROOT);
		if (!state)
			return -ENOMEM;
		image_root_set(IMAGE_ROOT_SHIM, state);
	}
	if (state->version == version)
		return 0;
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		snprintf(real, sizeof(real), "%s%s", root(&n), tops[i]);
		bring_up(real, n);
	}
	w = image_write(state);
	w->version = version;
	return 0;
}

/* -- finding ------------------------------------------------------------------------------------ */

static int fd_path(int fd, char *to, size_t len)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = shim_libc()->readlink(link, to, len - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	return 0;
}

/* The path in the tree as the caller spells it. */
static int spell(int dir, const char *path, char real[TREE_PATH])
{
	size_t n;
	const char *top = root(&n);
	int len;

	if (path[0] == '/') {
		if (tree_strip(path))
			path = tree_strip(path);
		len = snprintf(real, TREE_PATH, "%s%s", top, path);
		return len < (int)TREE_PATH ? 0 : -ENAMETOOLONG;
	}
	if (dir == AT_FDCWD ? !shim_libc()->getcwd(real, TREE_PATH) : fd_path(dir, real, TREE_PATH))
		return -errno;
	if (!tree_strip(real))
		return TREE_NOT_OURS;
	n = strlen(real);
	len = snprintf(real + n, TREE_PATH - n, "/%s", path);
	return n + (size_t)len < TREE_PATH ? 0 : -ENAMETOOLONG;
}

/* The real kernel follows the links. One that leads out of what is ours leads to what is real. */
static int follow(const char *spelt, bool link, struct tree_place *place)
{
	int fd = shim_libc()->open(spelt, O_PATH | O_CLOEXEC | (link ? O_NOFOLLOW : 0)), rc;

	if (fd < 0)
		return -errno;
	rc = fd_path(fd, place->real, sizeof(place->real));
	if (!rc && shim_libc()->fstat(fd, &place->st))
		rc = -errno;
	shim_libc()->close(fd);
	place->path = rc ? NULL : tree_strip(place->real);
	if (rc)
		return rc;
	return place->path && is_ours(place->path) ? 0 : TREE_NOT_OURS;
}

int tree_find(int dir, const char *path, bool link, struct tree_place *place)
{
	int error = errno, rc;
	char spelt[TREE_PATH];

	if (!tree_maybe(dir, path) || !shim_ready())
		return TREE_NOT_OURS;
	rc = (int)image_call(up_to_date, NULL);
	if (!rc)
		rc = spell(dir, path, spelt);
	if (!rc)
		rc = follow(spelt, link, place);
	/* Out by "..", or a node that is the real kernel's: it has the answer. */
	if (rc == -ENOENT && (strstr(path, "..") || !strncmp(path, "/dev/kvm", 8) ||
				     !strncmp(path, "/sys/kernel/debug", 17)))
		rc = TREE_NOT_OURS;
	errno = error;
	return rc;
}

/* -- descriptors and working directory ----------------------------------------------------------- */

bool tree_fd(int fd)
{
	return fd >= 0 && fd < (int)SHIM_FDS &&
	       __atomic_load_n(&fds[fd / 64], __ATOMIC_RELAXED) >> (fd % 64) & 1;
}

void tree_fd_mark(int fd, bool is)
{
	if (fd < 0 || fd >= (int)SHIM_FDS || tree_fd(fd) == is)
		return;
	if (is)
		__atomic_fetch_or(&fds[fd / 64], 1ull << fd % 64, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&fds[fd / 64], ~(1ull << fd % 64), __ATOMIC_RELAXED);
}

int tree_fd_find(int fd, struct tree_place *place)
{
	int error = errno, rc = TREE_NOT_OURS;

	if (!tree_fd(fd))
		return rc;
	if (!fd_path(fd, place->real, sizeof(place->real)) &&
		!shim_libc()->fstat(fd, &place->st)) {
		place->path = tree_strip(place->real);
		rc = place->path ? 0 : TREE_NOT_OURS;
	}
	errno = error;
	return rc;
}

bool tree_cwd(void)
{
	return cwd;
}

void tree_cwd_mark(bool is)
{
	cwd = is;
}

void tree_inherit(void)
{
	char at[TREE_PATH];

	cwd = shim_libc()->getcwd(at, sizeof(at)) && tree_strip(at);
}
