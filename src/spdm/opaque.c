/* SPDX-License-Identifier: BSD-2-Clause */
/* Opaque data of key exchange (DSP0274 general format 1) with the DSP0277 version elements. */
#include "spdm/context.h"

#define REGISTRY_DMTF 0
#define ELEMENT_VERSION 1
#define ALIGN 4u

static const uint16_t versions[] = {0x1000, 0x1100, 0x1200}; /* ascending */
#define VERSIONS (sizeof(versions) / sizeof(*versions))

static size_t padding(size_t len)
{
	return (ALIGN - len % ALIGN) % ALIGN;
}

static void header_put(struct writer *w, size_t data)
{
	put_u8(w, 1); /* elements */
	put_space(w, 3);
	put_u8(w, REGISTRY_DMTF);
	put_u8(w, 0); /* no vendor id */
	put_le16(w, (uint16_t)data);
	put_u8(w, ELEMENT_VERSION);
}

void spdm_opaque_put_supported(struct writer *w)
{
	size_t data = 3 + 2 * VERSIONS;

	header_put(w, data);
	put_u8(w, SPDM_SECURED_SUPPORTED);
	put_u8(w, VERSIONS);
	for (size_t i = 0; i < VERSIONS; i++)
		put_le16(w, versions[i]);
	put_space(w, padding(4 + data));
}

void spdm_opaque_put_selection(struct writer *w, uint16_t version)
{
	header_put(w, 4);
	put_u8(w, SPDM_SECURED_SELECTION);
	put_le16(w, version);
}

static uint16_t version_known(uint16_t version)
{
	for (size_t i = 0; i < VERSIONS; i++)
		if (versions[i] == (version & 0xff00))
			return versions[i];
	return 0;
}

/* One element's data; 0 when it is another element than the one looked for. */
static uint16_t element_version(struct reader *r, uint8_t element)
{
	uint8_t count = 1;
	uint16_t best = 0;

	if (get_u8(r) != ELEMENT_VERSION || get_u8(r) != element)
		return 0;
	if (element == SPDM_SECURED_SUPPORTED)
		count = get_u8(r);
	for (unsigned int i = 0; i < count && !r->bad; i++) {
		uint16_t version = version_known(get_le16(r));

		if (version > best)
			best = version;
	}
	return r->bad || reader_left(r) ? 0 : best;
}

uint16_t spdm_opaque_version(const uint8_t *opaque, size_t len, uint8_t element)
{
	struct reader r = reader_of(opaque, len);
	unsigned int elements = get_u8(&r);
	uint16_t found = 0;

	get_bytes(&r, 3);
	for (unsigned int i = 0; i < elements && !r.bad; i++) {
		uint8_t registry = get_u8(&r);
		size_t vendor = get_u8(&r), data;
		struct reader body;

		get_bytes(&r, vendor);
		data = get_le16(&r);
		body = reader_of(get_bytes(&r, data), data);
		get_bytes(&r, padding(4 + vendor + data));
		if (!r.bad && registry == REGISTRY_DMTF && !vendor && !found)
			found = element_version(&body, element);
	}
	return r.bad || reader_left(&r) ? 0 : found;
}
