/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of libFuzzer: every file of the folders named, once, and each cut short once. */
#include <dirent.h>

#include "fuzz.h"

#define INPUT_MAX 65536u

static unsigned int replayed;

static void file_replay(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t len;

	if (!file)
		return;
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, len);
	LLVMFuzzerTestOneInput(bytes, len / 2);
	replayed++;
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;
		char path[4096];

		while (dir && (entry = readdir(dir))) {
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] != '.')
				file_replay(path);
		}
		if (dir)
			closedir(dir);
	}
	printf("%u inputs\n", replayed);
	return replayed ? 0 : 1;
}
