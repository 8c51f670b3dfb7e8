/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories of the host: read, walked, matched, gone into; links are followed, and none leads
 * out to what is really below /sys. */
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>

#include "client.h"

#define DEVICES "/sys/bus/pci/devices"
#define DEVICE DEVICES "/0000:01:00.0"

static int text_at(int dir, const char *path, char *text, size_t len)
{
	int fd = openat(dir, path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, len - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -1;
}

static unsigned char type_in(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned char type = DT_UNKNOWN;

	while (dir && (entry = readdir(dir)))
		if (!strcmp(entry->d_name, name))
			type = entry->d_type;
	if (dir)
		closedir(dir);
	return type;
}

static int test_read(void)
{
	CHECK(type_in("/dev/vfio/devices", "vfio0") == DT_CHR);
	CHECK(type_in("/dev/vfio", "devices") == DT_DIR);
	CHECK(type_in(DEVICES, "0000:01:00.0") == DT_DIR ||
		type_in(DEVICES, "0000:01:00.0") == DT_LNK);
	CHECK(type_in(DEVICE, "vendor") == DT_REG && type_in(DEVICE, "driver") == DT_LNK);
	CHECK(type_in(DEVICE "/vfio-dev", "vfio0") == DT_DIR);
	CHECK(!opendir(DEVICE "/vendor") && errno == ENOTDIR);
	CHECK(!opendir(DEVICE "/nothing") && errno == ENOENT);
	return 0;
}

/* Everything relative to the descriptor of a directory, however it was got. */
static int test_relative(void)
{
	DIR *dir = opendir(DEVICE);
	int fd, copy;
	char text[64], link[PATH_MAX];
	struct stat st, by_path;

	CHECK(dir && !text_at(dirfd(dir), "vendor", text, sizeof(text)) && !strncmp(text, "0x", 2));
	CHECK(!closedir(dir));
	fd = open(DEVICE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0 && (copy = fcntl(fd, F_DUPFD_CLOEXEC, 50)) >= 50 && !close(fd));
	CHECK(!text_at(copy, "vfio-dev/vfio0/dev", text, sizeof(text)) && strchr(text, ':'));
	CHECK(!fstatat(copy, "config", &st, 0) && S_ISREG(st.st_mode));
	CHECK(readlinkat(copy, "driver", link, sizeof(link)) > 0);
	CHECK(!fstat(copy, &st) && S_ISDIR(st.st_mode) && !stat(DEVICE, &by_path));
	CHECK(st.st_ino == by_path.st_ino && st.st_dev == by_path.st_dev);
	CHECK(!faccessat(copy, "class", R_OK, 0) && faccessat(copy, "none", R_OK, 0) == -1);
	dir = fdopendir(copy);
	CHECK(dir && readdir(dir) && !closedir(dir));
	fd = open("/dev/vfio/devices", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && (copy = openat(fd, "vfio0", O_RDWR)) >= 0);
	CHECK(!fstat(copy, &st) && S_ISCHR(st.st_mode) && st.st_rdev);
	CHECK(openat(fd, "/etc/passwd", O_RDONLY) >= 0);
	return 0;
}

static int test_cwd(void)
{
	char at[PATH_MAX], text[64];
	pid_t child;

	CHECK(!chdir(DEVICES) && !chdir("0000:01:00.0/vfio-dev"));
	CHECK(getcwd(at, sizeof(at)) && strstr(at, "0000:01:00.0/vfio-dev") &&
		!strncmp(at, "/sys/", 5));
	CHECK(!text_at(AT_FDCWD, "../vendor", text, sizeof(text)) && !strncmp(text, "0x", 2));
	child = fork();
	if (!child) {
		execlp("sh", "sh", "-c", "read v <../vendor && pwd | grep -q ^/sys/ && cat vfio0/dev",
			(char *)NULL);
		_exit(99);
	}
	CHECK(wait_code(child) == 0);
	CHECK(!chdir("/tmp") && getcwd(at, sizeof(at)) && !strcmp(at, "/tmp"));
	CHECK(access("vendor", F_OK) == -1);
	return 0;
}

static int test_realpath(void)
{
	char at[PATH_MAX];

	CHECK(realpath(DEVICE "/subsystem", at) && !strcmp(at, "/sys/bus/pci"));
	CHECK(realpath("/dev/vfio/../vfio/devices/vfio0", at) &&
		!strcmp(at, "/dev/vfio/devices/vfio0"));
	CHECK(!realpath(DEVICE "/nothing", at) && errno == ENOENT);
	CHECK(realpath("/dev/null", at) && !strcmp(at, "/dev/null"));
	CHECK(realpath("/sys/bus/pci/../../kernel", at) && !strcmp(at, "/sys/kernel"));
	return 0;
}

static int seen_nodes, seen_attributes, bad_paths;

static int walk_step(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (path[0] != '/' || strncmp(path + ftw->base - 1, strrchr(path, '/'), 5))
		bad_paths++;
	seen_nodes += type == FTW_F && S_ISCHR(st->st_mode) && st->st_rdev;
	seen_attributes += type == FTW_F && !strcmp(path + ftw->base, "vendor");
	return 0;
}

static int all_but_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int test_walk(void)
{
	struct dirent **list;
	glob_t found;
	struct stat st;
	int n;

	CHECK(!nftw("/dev/vfio", walk_step, 8, FTW_PHYS) && seen_nodes >= 1 && !bad_paths);
	CHECK(!nftw(DEVICE, walk_step, 8, FTW_PHYS) && seen_attributes == 1 && !bad_paths);
	CHECK(!glob("/dev/vfio/devices/vfio*", 0, NULL, &found) && found.gl_pathc >= 1);
	CHECK(!strncmp(found.gl_pathv[0], "/dev/vfio/devices/vfio", 22) &&
		!stat(found.gl_pathv[0], &st) && S_ISCHR(st.st_mode));
	globfree(&found);
	CHECK(!glob(DEVICES "/*/vfio-dev/vfio*", 0, NULL, &found) && found.gl_pathc >= 1);
	globfree(&found);
	CHECK(!glob("/etc/pass*", 0, NULL, &found) && !strncmp(found.gl_pathv[0], "/etc/", 5));
	globfree(&found);
	n = scandir("/dev/vfio/devices", &list, all_but_dots, alphasort);
	CHECK(n >= 1 && !strcmp(list[0]->d_name, "vfio0") && list[0]->d_type == DT_CHR);
	return 0;
}

/* A tsm directory's files are there when they are, in every process. */
static int test_change(void)
{
	int fd = open(DEVICE "/sriov_numvfs", O_WRONLY), before = 0, after = 0;
	char text[16];
	glob_t found;

	if (fd < 0 || text_at(AT_FDCWD, DEVICE "/sriov_numvfs", text, sizeof(text)))
		return 0;
	if (!glob(DEVICES "/*", 0, NULL, &found))
		before = (int)found.gl_pathc;
	CHECK(before && !access("/dev/vfio/devices/vfio0", F_OK));
	if (write(fd, "0", 1) != 1)
		return 0;
	if (!glob(DEVICES "/*", 0, NULL, &found))
		after = (int)found.gl_pathc;
	CHECK(after < before || !strncmp(text, "0", 1));
	return 0;
}

int main(void)
{
	static const struct client_test tests[] = {
		{"R6.1 directories are read, with the types of their entries", test_read},
		{"R6.1 paths relative to a directory's descriptor", test_relative},
		{"R6.1 a directory one can be in, and its children too", test_cwd},
		{"R6.1 realpath follows links and gives the host's names", test_realpath},
		{"R6.1 nftw, glob and scandir", test_walk},
		{"R6.1 what comes and goes is seen at once", test_change},
	};

	if (access("/dev/iommu", R_OK) || access("/dev/vfio/devices/vfio0", R_OK))
		return 77;
	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
