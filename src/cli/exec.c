/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swtio exec: an unmodified program on the software host. This process makes the host, starts the
 * program with the drop-in preloaded, and stays as its supervisor: it holds the image's
 * descriptors, and releases what processes leave behind when they die.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/topology.h"
#include "cli/wire.h"
#include "flow/machine.h"
#include "hardware/bar_file.h"
#include "shim/program.h"
#include "shim/shim.h"
#include "shim/tree.h"
#include "trace/capture.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif
#define REAP_INTERVAL_MS 20
#define NOT_RUNNABLE 126 /* as env(1) and shells say it */
#define NOT_FOUND 127

static pid_t child;

static void pass_on(int signal)
{
	if (child > 0)
		kill(child, signal);
}

/* The drop-in beside this program, as built or as installed. */
static bool shim_path(char *path, size_t len)
{
	static const char *const places[] = {
		"../shim", SWTIO_SHIM_DIR}; /* from the program's own */
	char self[400], full[500], *real;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(full, sizeof(full), "%s/%s/libswtio-shim.so", self, places[i]);
		real = realpath(full, NULL);
		if (!real)
			continue;
		snprintf(path, len, "%s", real);
		free(real);
		return true;
	}
	return false;
}

static void environment_set(int files, const char *tree)
{
	const char *preload = getenv("LD_PRELOAD");
	char shim[512], text[1200];

	snprintf(text, sizeof(text), "/proc/%d/fd/%d", getpid(), image_fd());
	setenv(shim_value_names[SHIM_IMAGE], text, 1);
	snprintf(text, sizeof(text), "/proc/%d/fd/%d", getpid(), files);
	setenv(shim_value_names[SHIM_FILES], text, 1);
	setenv(shim_value_names[SHIM_TREE], tree, 1);
	shim_release_by(text);
	if (!shim_path(shim, sizeof(shim)))
		return;
	/* AddressSanitizer's runtime wants to be the first. */
	if (preload && strstr(preload, "asan"))
		snprintf(text, sizeof(text), "%s:%s", preload, shim);
	else
		snprintf(text, sizeof(text), "%s%s%s", shim, preload ? ":" : "",
			preload ? preload : "");
	setenv("LD_PRELOAD", text, 1);
}

static uint64_t captures_lost;	/* DOE objects and lines of the key log */
static bool captures_spoilt;

static void captures_drain(void)
{
	static const struct capture_ring_ops ops = {.object = capture_packet,
		.secret = cli_keylog_line};

	image_enter();
	captures_spoilt |= capture_ring_drain(&ops, &captures_lost) < 0;
	image_leave();
}

static int captures_close(int status)
{
	int rc = cli_wire_files_close();

	if (captures_lost)
		rc = cli_cannot("%" PRIu64 " objects came faster than they could be captured",
			captures_lost);
	if (captures_spoilt)
		rc = cli_cannot("a program wrote over objects that were to be captured: some are missing");
	return status ? status : rc;
}

/* Waits for the program, releasing what dies in the meantime; its status as a shell gives it. */
static int supervise(void)
{
	struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
	int status = 0;

	while (waitpid(child, &status, WNOHANG) == 0) {
		poll(&ended, 1, REAP_INTERVAL_MS);
		shim_reap();
		captures_drain();
	}
	shim_reap();
	captures_drain();
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* -- programs out of reach -----------------------------------------------------------------------
 */

/* Without a word a program that the drop-in cannot reach would run on the real kernel. */
static int program_check(const char *name)
{
	char path[PATH_MAX];
	const char *why = program_out_of_reach(name, path);

	if (!why)
		return CLI_OK;
	fprintf(stderr, "swtio exec: %s %s: the drop-in is preloaded and cannot reach it\n", path,
		why);
	return NOT_RUNNABLE;
}

static uint32_t bar_file_make(void)
{
	int fd = memfd_create("swtio-bar", MFD_CLOEXEC);

	return fd < 0 ? 0 : (uint32_t)fd;
}

struct exec_options {
	struct kernel_options kernel;
	int platform;
	const char *pcap, *keylog;
};

static int exec_host(const struct exec_options *options)
{
	struct image_opts opts = {.size = sizeof(opts), .seed = 1};
	int rc = image_create(&opts);

	if (rc)
		return cli_cannot("no memory for the host image: %s", strerror(-rc));
	image_enter();
	rc = machine_boot((enum platform)options->platform, &options->kernel);
	if (!rc && (options->pcap || options->keylog))
		rc = capture_ring_power_on(options->keylog != NULL);
	bar_files_give(bar_file_make);
	image_leave();
	return rc ? cli_cannot("the machine does not start: %s", strerror(-rc)) : CLI_OK;
}

/* The machine as the user wants it; process-local, until exec_host() builds it. */
static struct topology topology;

static int topology_option(int c, const char *text)
{
	char why[160];
	int rc = c == 'd' ? topology_device(&topology, text, why, sizeof(why))
			  : topology_file(&topology, text, why, sizeof(why));

	if (rc)
		return cli_usage(&cli_exec_command, "%s %s: %s",
			c == 'd' ? "--device" : "--topology", text, why);
	device_topology_set(&topology);
	return CLI_OK;
}

static int options_read(int argc, char **argv, struct exec_options *options)
{
	static const struct option longs[] = {
		{"extensions", no_argument, NULL, 'e'},
		{"mock", no_argument, NULL, 'm'},
		{"kvm", required_argument, NULL, 'k'},
		{"container", required_argument, NULL, 'c'},
		{"device", required_argument, NULL, 'd'},
		{"topology", required_argument, NULL, 't'},
		{"platform", required_argument, NULL, 'p'},
		{"pcap", required_argument, NULL, 'P'},
		{"keylog", required_argument, NULL, 'K'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "+emk:p:c:d:t:", longs, NULL)) != -1)
		switch (c) {
		case 'e':
			options->kernel.extensions = true;
			break;
		case 'm':
			options->kernel.mock = true;
			break;
		case 'k':
			options->kernel.kvm = !strcmp(optarg, "swtio");
			if (!options->kernel.kvm && strcmp(optarg, "host"))
				return cli_usage(&cli_exec_command,
					"--kvm is swtio or host, not %s", optarg);
			break;
		case 'p':
			options->platform = machine_platform_find(optarg);
			if (options->platform < 0)
				return cli_usage(&cli_exec_command, "there is no machine %s",
					optarg);
			break;
		case 'c':
			options->kernel.type1 = !strcmp(optarg, "type1");
			if (!options->kernel.type1 && strcmp(optarg, "iommufd"))
				return cli_usage(&cli_exec_command,
					"--container is type1 or iommufd, not %s", optarg);
			break;
		case 'd':
		case 't':
			if (topology_option(c, optarg))
				return CLI_USAGE;
			break;
		case 'P':
			options->pcap = optarg;
			break;
		case 'K':
			options->keylog = optarg;
			break;
		default:
			return CLI_USAGE;
		}
	return optind == argc ? cli_usage(&cli_exec_command, "a command is wanted") : CLI_OK;
}

static int exec_run(int argc, char **argv)
{
	struct exec_options options = {.platform = PLATFORM_TDX};
	char path[512], tree[TREE_PATH];
	int files, rc = options_read(argc, argv, &options);

	if (rc)
		return rc;
	if (SANITIZED)
		return cli_cannot("this build has a sanitizer, whose runtime must come first in a "
				  "program: the drop-in cannot be preloaded; use a build without");
	if (!shim_path(path, sizeof(path)))
		return cli_cannot("the drop-in libswtio-shim.so is not beside the program: build "
				  "or install it");
	rc = program_check(argv[optind]);
	if (rc)
		return rc;
	rc = cli_wire_files_open(options.pcap, options.keylog, cli_wall_ns);
	if (rc)
		return rc;
	files = memfd_create("swtio-files", 0);
	rc = files < 0 ? cli_cannot("memfd_create: %m") : exec_host(&options);
	if (rc)
		return rc;
	rc = tree_make(tree);
	if (rc)
		return cli_cannot("no directory for the host's paths in TMPDIR or /tmp: %s",
			strerror(-rc));
	environment_set(files, tree);
	child = fork();
	if (child < 0) {
		tree_remove(tree);
		return cli_cannot("fork: %m");
	}
	if (!child) {
		close(files);
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "swtio exec: %s: %s\n", argv[optind], strerror(errno));
		_exit(errno == ENOENT ? NOT_FOUND : NOT_RUNNABLE);
	}
	signal(SIGINT, pass_on);
	signal(SIGTERM, pass_on);
	rc = supervise();
	tree_remove(tree);
	return captures_close(rc);
}

const struct cli_command cli_exec_command = {
	.name = "exec",
	.arguments = "[--extensions] [--mock] [--kvm swtio|host] [--container iommufd|type1]\n"
		     "           [--device model=NAME,bdf=BDF]... [--topology FILE] [--platform NAME]\n"
		     "           [--pcap FILE] [--keylog FILE]\n"
		     "           -- COMMAND [ARGUMENT]...",
	.summary = "run an unmodified program on the software host",
	.help = "Runs COMMAND with /dev/iommu and /dev/vfio/devices/* served by the software host. "
		"The exit code is\n"
		"the command's. The host answers strictly as Linux 7.2 does, unless told "
		"otherwise:\n\n"
		"  -e, --extensions   TSM bind and requests, dma-buf kinds, dma-buf memslots\n"
		"  -m, --mock         IOMMU_TEST_CMD, as a kernel built for its own selftests has "
		"it\n"
		"  -k, --kvm WHOSE    /dev/kvm is the software host's (swtio) or the real kernel's "
		"(host, the default)\n"
		"  -c, --container WHOSE  /dev/vfio/vfio is iommufd's (the default) or the type1 "
		"driver's\n"
		"  -d, --device model=engine|ioat,bdf=0000:BUS:00.0[,vfs=N[,numvfs=N]]\n"
		"                     a device of the machine; may be repeated\n"
		"  -t, --topology FILE  the devices from a JSON file: {\"devices\": [{\"model\": "
		"...}]}\n"
		"  -p, --platform NAME  the machine: tdx (the default), or another that flows name\n"
		"      --pcap FILE    capture the DOE objects of all processes; pcapng when it ends in "
		".pcapng\n"
		"      --keylog FILE  write the SPDM sessions' secrets, for `swtio decode --keylog`\n\n"
		"COMMAND and what it starts must be dynamically linked. The exit code is 128 + N "
		"if signal N ended\n"
		"it, 127 if it is not there, 126 if it cannot be run or is out of the drop-in's "
		"reach.\n\n"
		"  swtio exec -- ls -l /dev/iommu\n"
		"  swtio exec --mock -- ./iommufd          # the kernel's own selftest\n",
	.run = exec_run,
};
