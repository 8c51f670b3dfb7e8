/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions: mmap, read, write; configuration space. */
#include "answers.h"

static long map(uint64_t at, size_t len, int prot, int flags)
{
	void *p = mmap(NULL, len, prot, flags, dev, (off_t)at);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, len);
	return 0;
}

void ask_mmap(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40;
	const int rw = PROT_READ | PROT_WRITE;

	Q(map(bar, size, rw, MAP_SHARED));
	Q(map(bar, size, PROT_READ, MAP_SHARED));
	Q(map(bar, size, rw, MAP_PRIVATE));
	Q(map(bar, size + 4096, rw, MAP_SHARED));
	Q(map(bar + size, 4096, rw, MAP_SHARED));
	Q(map(bar + size - 4096, 4096, rw, MAP_SHARED));
	Q(map(6ull << 40, 4096, PROT_READ, MAP_SHARED));
	Q(map(7ull << 40, 4096, rw, MAP_SHARED));
	Q(map(8ull << 40, 4096, rw, MAP_SHARED));
	Q(map(20ull << 40, 4096, rw, MAP_SHARED));
}

void ask_access(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40, word = 0;
	uint16_t command = 0;

	Q(pread(dev, &word, 0, (off_t)bar));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(pread(dev, &word, 8, (off_t)(bar + size - 4)));
	Q(pread(dev, &word, 4, (off_t)(bar + size)));
	Q(pread(dev, NULL, 4, (off_t)bar));
	Q(pread(dev, &word, 4, (off_t)(8ull << 40)));
	Q(pread(dev, &word, 4, (off_t)(9ull << 40)));
	Q(pread(dev, &word, 4, (off_t)(30ull << 40)));
	Q(pread(dev, &word, 4, CONFIG_AT + 4096));
	Q(pread(dev, &word, 4, CONFIG_AT + 4094));
	Q(pread(dev, &word, 8, CONFIG_AT + 0x33));
	Q(pread(dev, NULL, 4, CONFIG_AT));
	Q(pread(dev, &word, 4, CONFIG_AT + (1 << 20)));
	Q(pread(dev, &command, 2, CONFIG_AT + 4));
	say(command & 6, "command after BIND: memory and master");
	command = 0;
	Q(pwrite(dev, &command, 2, CONFIG_AT + 4));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(pwrite(dev, &word, 4, (off_t)(bar + size - 4)));
	Q(map(bar, 4096, PROT_READ, MAP_SHARED));
	Q(dma_buf(64, (uint32_t)(bar >> 40), 0, 1, 0, 4096));
	command = 0xffff;
	Q(pwrite(dev, &command, 2, CONFIG_AT + 4));
	Q(pread(dev, &command, 2, CONFIG_AT + 4));
	say(command & 6, "memory and master on");
	command = 2;
	Q(pwrite(dev, &command, 2, CONFIG_AT + 4));
	Q(pread(dev, &word, 4, (off_t)bar));
}

/* A sizing write moves nothing and reads back the size; ids and pin do not change. */
void ask_config(void)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint32_t before = 0, after = 0, ones = UINT32_MAX;
	bool sized = true;

	for (unsigned int i = 0; i < 6; i++) {
		info.index = i;
		ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info);
		pread(dev, &before, 4, CONFIG_AT + 0x10 + 4 * i);
		pwrite(dev, &ones, 4, CONFIG_AT + 0x10 + 4 * i);
		pread(dev, &after, 4, CONFIG_AT + 0x10 + 4 * i);
		if (info.size && info.size < 1u << 30 && !(before & 1))
			sized = sized && (after & ~0xfu) == (uint32_t)-info.size;
		pwrite(dev, &before, 4, CONFIG_AT + 0x10 + 4 * i);
	}
	say(sized, "BARs are sized");
	pread(dev, &before, 4, CONFIG_AT);
	pwrite(dev, &ones, 4, CONFIG_AT);
	pread(dev, &after, 4, CONFIG_AT);
	say(before == after, "ids stay");
	pread(dev, &before, 4, CONFIG_AT + 0x3c);
	pwrite(dev, &ones, 4, CONFIG_AT + 0x3c);
	pread(dev, &after, 4, CONFIG_AT + 0x3c);
	say((after & 0xff) == 0xff, "interrupt line is the client's");
	say((after & 0xff00) == (before & 0xff00), "interrupt pin is not");
	pwrite(dev, &before, 4, CONFIG_AT + 0x3c);
	pread(dev, &before, 4, CONFIG_AT + 8);
	pwrite(dev, &ones, 4, CONFIG_AT + 8);
	pread(dev, &after, 4, CONFIG_AT + 8);
	say(before == after, "class stays");
	pwrite(dev, &ones, 2, CONFIG_AT + 0x0c);
	pread(dev, &after, 2, CONFIG_AT + 0x0c);
	say(after & 0xff, "cache line size");
}
