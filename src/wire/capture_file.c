/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/capture_file.h"

#include "trace/capture.h"

#include <byteswap.h>
#include <errno.h>

#define PCAP_MICRO 0xa1b2c3d4u
#define PCAP_NANO 0xa1b23c4du
#define NG_SECTION 0x0a0d0d0au
#define NG_ORDER 0x1a2b3c4du
#define NG_INTERFACE 1u
#define NG_PACKET 6u
#define OPTION_NAME 2u
#define OPTION_RESOLUTION 9u
#define OPTION_FLAGS 2u
#define MICROSECONDS 6u			/* pcapng's resolution when nothing is said */

static uint32_t u32(const struct capture_file *file, struct reader *r)
{
	uint32_t v = get_le32(r);

	return file->swapped ? bswap_32(v) : v;
}

static uint16_t u16(const struct capture_file *file, struct reader *r)
{
	uint16_t v = get_le16(r);

	return file->swapped ? bswap_16(v) : v;
}

static bool link_known(uint32_t link)
{
	return link == CAPTURE_LINK_DOE || link == CAPTURE_LINK_USER0;
}

static int classic_open(struct capture_file *file, uint32_t magic)
{
	file->swapped = magic == bswap_32(PCAP_MICRO) || magic == bswap_32(PCAP_NANO);
	if (file->swapped)
		magic = bswap_32(magic);
	if (magic != PCAP_MICRO && magic != PCAP_NANO)
		return -EINVAL;
	file->micro = magic == PCAP_MICRO;
	get_bytes(&file->r, 16); /* version, zone, accuracy, snap length */
	file->interface[0].link = u32(file, &file->r) & 0x0fffffff;
	file->interfaces = 1;
	return file->r.bad ? -EINVAL : 0;
}

int capture_file_open(struct capture_file *file, const uint8_t *bytes, size_t len)
{
	uint32_t magic;

	*file = (struct capture_file){.r = reader_of(bytes, len)};
	magic = get_le32(&file->r);
	if (file->r.bad)
		return -EINVAL;
	if (magic != NG_SECTION)
		return classic_open(file, magic);
	file->ng = true;
	file->r.at = 0;
	return 0;
}

static int classic_next(struct capture_file *file, struct capture_packet *packet)
{
	uint64_t seconds, part;

	if (!reader_left(&file->r))
		return 0;
	seconds = u32(file, &file->r);
	part = u32(file, &file->r);
	packet->len = u32(file, &file->r);
	get_le32(&file->r); /* its whole length: we do not guess at what was cut off */
	packet->bytes = get_bytes(&file->r, packet->len);
	if (file->r.bad)
		return -EBADMSG;
	if (!link_known(file->interface[0].link))
		return -EPROTONOSUPPORT;
	packet->ns = seconds * 1000000000u + part * (file->micro ? 1000u : 1u);
	packet->direction = CAPTURE_UNKNOWN;
	packet->interface = "";
	return 1;
}

/* The next option's code, its value in *value; 0 at the end. */
static uint16_t option_next(const struct capture_file *file, struct reader *r, struct reader *value)
{
	uint16_t code = u16(file, r);
	size_t len = u16(file, r);
	const uint8_t *bytes = get_bytes(r, len);

	get_bytes(r, (4 - len % 4) % 4);
	if (r->bad || !code)
		return 0;
	*value = reader_of(bytes, len);
	return code;
}

static void interface_add(struct capture_file *file, struct reader *block)
{
	unsigned int i = file->interfaces;
	struct reader value;
	uint16_t code;

	if (i == CAPTURE_FILE_INTERFACES)
		return;
	file->interface[i].link = u16(file, block);
	file->interface[i].resolution = MICROSECONDS;
	file->interface[i].name[0] = '\0';
	get_bytes(block, 6);
	while ((code = option_next(file, block, &value))) {
		if (code == OPTION_RESOLUTION)
			file->interface[i].resolution = get_u8(&value);
		if (code != OPTION_NAME || value.len >= sizeof(file->interface[i].name))
			continue;
		memcpy(file->interface[i].name, value.p, value.len);
		file->interface[i].name[value.len] = '\0';
	}
	file->interfaces++;
}

static uint64_t to_ns(uint64_t ticks, uint8_t resolution)
{
	unsigned int digits = resolution & 0x7f;

	if (resolution & 0x80)
		return digits < 64 ? (uint64_t)((double)ticks / (double)(1ull << digits) * 1e9) : 0;
	for (; digits < 9; digits++)
		ticks *= 10;
	for (; digits > 9 && ticks; digits--)
		ticks /= 10;
	return ticks;
}

static int packet_read(
	const struct capture_file *file, struct reader *block, struct capture_packet *packet)
{
	uint32_t interface = u32(file, block);
	uint64_t ticks = (uint64_t)u32(file, block) << 32;
	struct reader value;
	uint16_t code;

	ticks |= u32(file, block);
	packet->len = u32(file, block);
	get_le32(block);
	packet->bytes = get_bytes(block, packet->len);
	get_bytes(block, (4 - packet->len % 4) % 4);
	if (block->bad || interface >= file->interfaces)
		return -EBADMSG;
	if (!link_known(file->interface[interface].link))
		return -EPROTONOSUPPORT;
	packet->ns = to_ns(ticks, file->interface[interface].resolution);
	packet->interface = file->interface[interface].name;
	packet->direction = CAPTURE_UNKNOWN;
	while (reader_left(block) && (code = option_next(file, block, &value)))
		if (code == OPTION_FLAGS && value.len == 4)
			packet->direction = (u32(file, &value) & 3) == 1 ? CAPTURE_FROM_DEVICE
									   : CAPTURE_TO_DEVICE;
	return 1;
}

/* A section says its byte order, which the type and length before it are in too. */
static void section_begin(struct capture_file *file)
{
	struct reader r = file->r;

	get_bytes(&r, 8);
	file->swapped = get_le32(&r) == bswap_32(NG_ORDER);
	file->interfaces = 0;
}

static int ng_next(struct capture_file *file, struct capture_packet *packet)
{
	while (reader_left(&file->r)) {
		struct reader peek = file->r, block;
		uint32_t type, len;
		const uint8_t *body;

		if (get_le32(&peek) == NG_SECTION)
			section_begin(file);
		type = u32(file, &file->r);
		len = u32(file, &file->r);
		if (len < 12 || len % 4)
			return -EBADMSG;
		body = get_bytes(&file->r, len - 12);
		get_le32(&file->r);
		if (file->r.bad)
			return -EBADMSG;
		block = reader_of(body, len - 12);
		if (type == NG_INTERFACE)
			interface_add(file, &block);
		else if (type == NG_PACKET)
			return packet_read(file, &block, packet);
	}
	return 0;
}

int capture_file_next(struct capture_file *file, struct capture_packet *packet)
{
	if (file->r.bad)
		return -EBADMSG;
	return (file->ng ? ng_next : classic_next)(file, packet);
}
