/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/capture.h"

#include "image/bytes.h"

#include <errno.h>
#include <stdio.h>

#define PCAP_MAGIC_NS 0xa1b23c4du	/* timestamps in nanoseconds */
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define OPTION_NAME 2u			/* of an interface */
#define OPTION_RESOLUTION 9u
#define OPTION_FLAGS 2u			/* of a packet */
#define FLAG_INBOUND 1u
#define FLAG_OUTBOUND 2u
#define INTERFACES 64u

static struct {
	FILE *file;
	bool ng;
	uint64_t (*now)(void);
	unsigned int interfaces;
	uint16_t rid[INTERFACES];
} capture;

static void head_write(struct writer *w)
{
	if (capture.ng) {
		put_le32(w, BLOCK_SECTION);
		put_le32(w, 28);
		put_le32(w, 0x1a2b3c4d);
		put_le16(w, 1); /* version 1.0 */
		put_le16(w, 0);
		put_le64(w, UINT64_MAX); /* the section's length is not known */
		put_le32(w, 28);
		return;
	}
	put_le32(w, PCAP_MAGIC_NS);
	put_le16(w, 2); /* version 2.4 */
	put_le16(w, 4);
	put_le64(w, 0);
	put_le32(w, CAPTURE_LONGEST);
	put_le32(w, CAPTURE_LINK_DOE);
}

int capture_open(const char *path, uint64_t (*now)(void))
{
	size_t len = strlen(path);
	uint8_t head[32];
	struct writer w = writer_of(head, sizeof(head));

	capture.file = fopen(path, "wb");
	if (!capture.file)
		return -errno;
	capture.ng = len > 7 && !strcmp(path + len - 7, ".pcapng");
	capture.now = now;
	capture.interfaces = 0;
	head_write(&w);
	fwrite(head, 1, w.at, capture.file);
	return 0;
}

int capture_close(void)
{
	int rc = 0;

	if (!capture.file)
		return 0;
	if (ferror(capture.file))
		rc = -EIO;
	if (fclose(capture.file))
		rc = -errno;
	capture.file = NULL;
	return rc;
}

static uint32_t interface_of(uint16_t rid)
{
	uint8_t block[64];
	struct writer w = writer_of(block, sizeof(block));
	char name[8];

	for (unsigned int i = 0; i < capture.interfaces; i++)
		if (capture.rid[i] == rid)
			return i;
	if (capture.interfaces == INTERFACES)
		return 0;
	snprintf(name, sizeof(name), "%02x:%02x.%x", rid >> 8, rid >> 3 & 31, rid & 7);
	put_le32(&w, BLOCK_INTERFACE);
	put_le32(&w, 44);
	put_le16(&w, CAPTURE_LINK_USER0);
	put_le16(&w, 0);
	put_le32(&w, CAPTURE_LONGEST);
	put_le16(&w, OPTION_NAME);
	put_le16(&w, 7);
	put_bytes(&w, name, sizeof(name));
	put_le16(&w, OPTION_RESOLUTION);
	put_le16(&w, 1);
	put_le32(&w, 9); /* 10^-9 s */
	put_le32(&w, 0); /* end of options */
	put_le32(&w, 44);
	fwrite(block, 1, w.at, capture.file);
	capture.rid[capture.interfaces] = rid;
	return capture.interfaces++;
}

static void packet_ng(const struct capture_head *head, const uint8_t *object, size_t len)
{
	uint32_t interface = interface_of(head->rid), padded = (uint32_t)((len + 3) & ~(size_t)3);
	uint32_t whole = 28 + padded + 12 + 4;
	uint8_t before[28], after[3 + 12 + 4];
	struct writer w = writer_of(before, sizeof(before)), t = writer_of(after, sizeof(after));

	put_le32(&w, BLOCK_PACKET);
	put_le32(&w, whole);
	put_le32(&w, interface);
	put_le32(&w, (uint32_t)(head->now >> 32));
	put_le32(&w, (uint32_t)head->now);
	put_le32(&w, (uint32_t)len);
	put_le32(&w, (uint32_t)head->len);
	put_space(&t, padded - len);
	put_le16(&t, OPTION_FLAGS);
	put_le16(&t, 4);
	put_le32(&t, head->to_device ? FLAG_OUTBOUND : FLAG_INBOUND);
	put_le32(&t, 0);
	put_le32(&t, whole);
	fwrite(before, 1, w.at, capture.file);
	fwrite(object, 1, len, capture.file);
	fwrite(after, 1, t.at, capture.file);
}

static void packet_classic(const struct capture_head *head, const uint8_t *object, size_t len)
{
	uint8_t before[16];
	struct writer w = writer_of(before, sizeof(before));

	put_le32(&w, (uint32_t)(head->now / 1000000000u));
	put_le32(&w, (uint32_t)(head->now % 1000000000u));
	put_le32(&w, (uint32_t)len);
	put_le32(&w, (uint32_t)head->len);
	fwrite(before, 1, w.at, capture.file);
	fwrite(object, 1, len, capture.file);
}

void capture_packet(const struct capture_head *head, const uint8_t *object)
{
	if (capture.file)
		(capture.ng ? packet_ng : packet_classic)(
			head, object, head->len < CAPTURE_LONGEST ? head->len : CAPTURE_LONGEST);
}

void capture_object(uint16_t rid, bool to_device, const uint8_t *object, size_t len)
{
	if (capture.file)
		capture_packet(&(struct capture_head){ rid, to_device, capture.now(), len }, object);
	else
		capture_ring_object(rid, to_device, object, len);
}
