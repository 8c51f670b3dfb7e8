/* SPDX-License-Identifier: BSD-2-Clause */
#include "firmware/doe_object.h"

#include "hardware/doe.h"
#include "hardware/phys.h"
#include "image/bytes.h"

#define DOE_VENDOR_PCISIG 1u

size_t doe_object_give(const struct spdm_wire *out, uint64_t hpa)
{
	uint8_t object[DOE_OBJECT_MAX];
	struct writer w = writer_of(object, sizeof(object));
	size_t words = (out->len + 3) / 4;

	put_le16(&w, DOE_VENDOR_PCISIG);
	put_u8(&w, out->doe_type);
	put_u8(&w, 0);
	put_le32(&w, (uint32_t)(words + DOE_OBJECT_HEADER / 4));
	put_bytes(&w, out->data, out->len);
	put_space(&w, words * 4 - out->len);
	return w.bad || phys_table_write(hpa, object, w.at, 0) ? 0 : w.at;
}

bool doe_object_take(uint64_t hpa, uint64_t len, struct spdm_wire *in)
{
	uint8_t object[DOE_OBJECT_MAX];
	struct reader r;

	if (len < DOE_OBJECT_HEADER || len > sizeof(object) ||
	    len - DOE_OBJECT_HEADER > sizeof(in->data) || phys_read(hpa, object, len, 0))
		return false;
	r = reader_of(object, len);
	if (get_le16(&r) != DOE_VENDOR_PCISIG)
		return false;
	in->doe_type = get_u8(&r);
	get_u8(&r);
	if (get_le32(&r) != len / 4 || len % 4)
		return false;
	in->len = reader_left(&r);
	get_copy(&r, in->data, in->len);
	return in->doe_type == DOE_TYPE_CMA || in->doe_type == DOE_TYPE_SECURED;
}
