/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New programs stay on the host: an exec or a spawn with an environment of its own (`env -i`) gets
 * our variables back. A child of vfork() runs this in its parent's memory, so nothing here
 * allocates; the new environment is on the caller's stack.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "shim/program.h"
#include "shim/shim.h"
#include "shim/tree.h"

#define EXPORT SHIM_EXPORT
#define PRELOAD "LD_PRELOAD="

__attribute__((constructor)) static void program_start(void)
{
	int error = errno;

	if (shim_environment()->there) {
		tree_inherit();
		if (shim_inherit())
			shim_ready();
	}
	errno = error;
}

static bool is_named(const char *entry, const char *assignment)
{
	size_t n = (size_t)(strchr(assignment, '=') - assignment) + 1;

	return !strncmp(entry, assignment, n);
}

static bool is_ours(const char *entry)
{
	for (unsigned int i = 0; i < SHIM_VALUES; i++)
		if (is_named(entry, shim_environment()->entry[i]))
			return true;
	return is_named(entry, PRELOAD);
}

static const char *preload_of(char *const envp[])
{
	for (; envp && *envp; envp++)
		if (is_named(*envp, PRELOAD))
			return *envp + sizeof(PRELOAD) - 1;
	return "";
}

/* Room for the pointers, and for LD_PRELOAD as it will be. */
static size_t environment_size(char *const envp[])
{
	size_t n = 0;

	while (envp && envp[n])
		n++;
	return (n + 2 + SHIM_VALUES) * sizeof(char *) + sizeof(PRELOAD) + strlen(shim_environment()->self) + 1 +
	       strlen(preload_of(envp));
}

static char *const *environment_fill(char *const envp[], void *room, size_t size)
{
	const struct shim_environment *ours = shim_environment();
	const char *preload = preload_of(envp);
	const void **to = room;
	char *text;
	size_t n = 0;

	if (!ours->there)
		return envp;
	for (; envp && *envp; envp++)
		if (!is_ours(*envp))
			to[n++] = *envp;
	text = (char *)room + size - (sizeof(PRELOAD) + strlen(ours->self) + 1 + strlen(preload));
	if (strstr(preload, ours->self))
		sprintf(text, PRELOAD "%s", preload);
	else
		sprintf(text, PRELOAD "%s%s%s", ours->self, *preload ? ":" : "", preload);
	to[n++] = text;
	for (unsigned int i = 0; i < SHIM_VALUES; i++)
		to[n++] = ours->entry[i];
	to[n] = NULL;
	return room;
}

/* A program that leaves the host does it with a word. It may be meant to: it runs all the same. */
static void warn_if_out_of_reach(const char *name)
{
	char path[PATH_MAX], text[PATH_MAX + 128];
	int error = errno, n;
	const char *why = shim_environment()->there ? program_out_of_reach(name, path) : NULL;

	if (why) {
		n = snprintf(text, sizeof(text),
			"swtio: %s %s: it runs on this machine, not on the software host\n", path, why);
		n = n < (int)sizeof(text) ? n : (int)sizeof(text) - 1;
		(void)!shim_libc()->write(STDERR_FILENO, text, (size_t)n);
	}
	errno = error;
}

/* The same, for a path from a directory's descriptor, or the descriptor itself. */
static void warn_if_out_of_reach_at(int dir, const char *path)
{
	char place[PATH_MAX];

	if (*path == '/' || (dir == AT_FDCWD && *path))
		snprintf(place, sizeof(place), "%s%s", strchr(path, '/') ? "" : "./", path);
	else
		snprintf(place, sizeof(place), "/proc/self/fd/%d%s%s", dir, *path ? "/" : "", path);
	warn_if_out_of_reach(place);
}

#define WITH(envp)                                                                                 \
	environment_fill((envp), __builtin_alloca(environment_size(envp)), environment_size(envp))

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	warn_if_out_of_reach_at(AT_FDCWD, path);
	return shim_libc()->execve(path, argv, WITH(envp));
}

EXPORT int execv(const char *path, char *const argv[])
{
	warn_if_out_of_reach_at(AT_FDCWD, path);
	return shim_libc()->execve(path, argv, WITH(environ));
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	warn_if_out_of_reach(file);
	return shim_libc()->execvpe(file, argv, WITH(envp));
}

EXPORT int execvp(const char *file, char *const argv[])
{
	warn_if_out_of_reach(file);
	return shim_libc()->execvpe(file, argv, WITH(environ));
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	warn_if_out_of_reach_at(fd, "");
	return shim_libc()->fexecve(fd, argv, WITH(envp));
}

EXPORT int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	warn_if_out_of_reach_at(dir, path);
	return shim_libc()->execveat(dir, path, argv, WITH(envp), flags);
}

/* The list forms: arguments up to NULL, and for execle() the environment after it. */
#define LIST_COUNT(n, first)                                                                       \
	do {                                                                                       \
		va_list count;                                                                     \
		va_start(count, first);                                                            \
		for (n = 1; va_arg(count, char *); n++)                                            \
			;                                                                          \
		va_end(count);                                                                     \
	} while (0)
#define LIST_TAKE(args, argv, n, first)                                                            \
	do {                                                                                       \
		va_start(args, first);                                                             \
		argv[0] = first;                                                                   \
		for (size_t i = 1; i <= n; i++)                                                    \
			argv[i] = va_arg(args, char *);                                            \
	} while (0)

#define EXEC_LIST(name, call, warn, environment)                                                   \
	EXPORT int name(const char *path, const char *first, ...)                                  \
	{                                                                                          \
		const char **argv;                                                                 \
		char *const *envp;                                                                 \
		va_list args;                                                                      \
		size_t n;                                                                          \
		LIST_COUNT(n, first);                                                              \
		argv = __builtin_alloca((n + 1) * sizeof(*argv));                                  \
		LIST_TAKE(args, argv, n, first);                                                   \
		envp = environment;                                                                \
		va_end(args);                                                                      \
		warn;                                                                              \
		return shim_libc()->call(path, (char **)(uintptr_t)argv, WITH(envp));              \
	}
EXEC_LIST(execl, execve, warn_if_out_of_reach_at(AT_FDCWD, path), environ)
EXEC_LIST(execlp, execvpe, warn_if_out_of_reach(path), environ)
EXEC_LIST(execle, execve, warn_if_out_of_reach_at(AT_FDCWD, path), va_arg(args, char *const *))

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	warn_if_out_of_reach_at(AT_FDCWD, path);
	return shim_libc()->posix_spawn(pid, path, actions, attributes, argv, WITH(envp));
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	warn_if_out_of_reach(file);
	return shim_libc()->posix_spawnp(pid, file, actions, attributes, argv, WITH(envp));
}
