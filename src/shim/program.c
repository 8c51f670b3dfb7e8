/* SPDX-License-Identifier: BSD-2-Clause */
/* Which programs a preloaded library does not get into. See program.h. */
#include "shim/program.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "shim/shim.h"

/* The file execvp() would take; false: none. */
static bool program_find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return true;
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - dirs), dirs, name);
		if (!shim_libc()->access(path, X_OK))
			return true;
	}
	return false;
}

/* Why the loader would not load a library into an ELF file, or NULL. */
static const char *elf_out_of_reach(int fd, const Elf64_Ehdr *header)
{
	Elf64_Phdr segment;

	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return "is not a 64-bit program";
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		if (shim_libc()->pread(fd, &segment, sizeof(segment),
				       (off_t)(header->e_phoff + i * sizeof(segment))) !=
		    sizeof(segment))
			return NULL;
		if (segment.p_type == PT_INTERP)
			return NULL;
	}
	return "is statically linked";
}

/* The program's own file, or its interpreter's: -1, none. start: how it begins, ended by a 0. */
static int program_open(char path[PATH_MAX], char start[sizeof(Elf64_Ehdr) + 1])
{
	int fd = shim_libc()->open(path, O_RDONLY | O_CLOEXEC);
	char *name;

	memset(start, 0, sizeof(Elf64_Ehdr) + 1);
	if (fd < 0 || shim_libc()->pread(fd, start, sizeof(Elf64_Ehdr), 0) < 3 ||
	    strncmp(start, "#!", 2))
		return fd;
	shim_libc()->close(fd);
	name = start + 2 + strspn(start + 2, " ");
	name[strcspn(name, " \n")] = '\0';
	snprintf(path, PATH_MAX, "%s", name);
	fd = shim_libc()->open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && shim_libc()->pread(fd, start, sizeof(Elf64_Ehdr), 0) < 3)
		*start = '\0';
	return fd;
}

const char *program_out_of_reach(const char *name, char path[PATH_MAX])
{
	char start[sizeof(Elf64_Ehdr) + 1];
	const char *why = NULL;
	Elf64_Ehdr header;
	struct stat st;
	int fd = program_find(name, path) ? program_open(path, start) : -1;

	if (fd < 0)
		return NULL;
	memcpy(&header, start, sizeof(header));
	if (!memcmp(start, ELFMAG, SELFMAG))
		why = elf_out_of_reach(fd, &header);
	if (!why && !shim_libc()->fstat(fd, &st) && st.st_mode & S_ISUID && st.st_uid != getuid())
		why = "is set-user-ID";
	shim_libc()->close(fd);
	return why;
}
