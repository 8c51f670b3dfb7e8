/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swtio exec: an unmodified program on the software host. This process makes the host, starts the
 * program with the drop-in preloaded, and stays as its supervisor: it holds the image's descriptors,
 * and releases what processes leave behind when they die.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "flow/machine.h"
#include "shim/shim.h"

#define REAP_INTERVAL_NS 20000000l

static pid_t child;

static void pass_on(int signal)
{
	if (child > 0)
		kill(child, signal);
}

/* The drop-in beside this program, as built or as installed. */
static bool shim_path(char *path, size_t len)
{
	static const char *const places[] = { "../shim/libswtio-shim.so", "../lib/x86_64-linux-gnu/libswtio-shim.so",
					      "../lib/libswtio-shim.so" };
	char self[400], full[500], *real;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(full, sizeof(full), "%s/%s", self, places[i]);
		real = realpath(full, NULL);
		if (!real)
			continue;
		snprintf(path, len, "%s", real);
		free(real);
		return true;
	}
	return false;
}

static void environment_set(int files)
{
	const char *preload = getenv("LD_PRELOAD");
	char shim[512], text[1200];

	snprintf(text, sizeof(text), "/proc/%d/fd/%d", getpid(), image_fd());
	setenv("SWTIO_IMAGE", text, 1);
	snprintf(text, sizeof(text), "/proc/%d/fd/%d", getpid(), files);
	setenv("SWTIO_FILES", text, 1);
	shim_supervise(text);
	if (!shim_path(shim, sizeof(shim)))
		return;
	snprintf(text, sizeof(text), "%s%s%s", shim, preload ? ":" : "", preload ? preload : "");
	setenv("LD_PRELOAD", text, 1);
}

/* Waits for the program, releasing what dies in the meantime; its status as a shell gives it. */
static int supervise(void)
{
	const struct timespec interval = { .tv_nsec = REAP_INTERVAL_NS };
	int status = 0;

	while (waitpid(child, &status, WNOHANG) == 0) {
		nanosleep(&interval, NULL);
		shim_reap();
	}
	shim_reap();
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static int exec_host(const struct kernel_options *options)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	int rc = image_create(&opts);

	if (rc)
		return cli_cannot("no memory for the host image: %s", strerror(-rc));
	image_enter();
	rc = machine_boot(options);
	image_leave();
	return rc ? cli_cannot("the machine does not start: %s", strerror(-rc)) : CLI_OK;
}

static int exec_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "extensions", no_argument, NULL, 'e' }, { "mock", no_argument, NULL, 'm' }, { NULL, 0, NULL, 0 },
	};
	struct kernel_options options = { 0 };
	char path[512];
	int c, rc, files;

	while ((c = getopt_long(argc, argv, "+em", longs, NULL)) != -1)
		switch (c) {
		case 'e': options.extensions = true; break;
		case 'm': options.mock = true; break;
		default: return CLI_USAGE;
		}
	if (optind == argc)
		return cli_usage(&cli_exec_command, "a command is wanted");
	if (!shim_path(path, sizeof(path)))
		return cli_cannot("the drop-in libswtio-shim.so is not beside the program: build or install it");
	files = memfd_create("swtio-files", 0);
	rc = files < 0 ? cli_cannot("memfd_create: %m") : exec_host(&options);
	if (rc)
		return rc;
	environment_set(files);
	child = fork();
	if (child < 0)
		return cli_cannot("fork: %m");
	if (!child) {
		close(files);
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "swtio exec: %s: %s\n", argv[optind], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	signal(SIGINT, pass_on);
	signal(SIGTERM, pass_on);
	return supervise();
}

const struct cli_command cli_exec_command = {
	.name = "exec",
	.arguments = "[--extensions] [--mock] -- COMMAND [ARGUMENT]...",
	.summary = "run an unmodified program on the software host",
	.help =
	"Runs COMMAND with /dev/iommu and /dev/vfio/devices/* served by the software host. The exit code is\n"
	"the command's. The host answers strictly as Linux 7.2 does, unless told otherwise:\n\n"
	"  -e, --extensions   TSM bind and requests, dma-buf kinds, dma-buf memslots\n"
	"  -m, --mock         IOMMU_TEST_CMD, as a kernel built for its own selftests has it\n\n"
	"  swtio exec -- ls -l /dev/iommu\n"
	"  swtio exec --mock -- ./iommufd          # the kernel's own selftest\n",
	.run = exec_run,
};
