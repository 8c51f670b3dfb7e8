/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounds-checked little-endian access to byte buffers: the only way wire formats, config space and
 * files are read or written. A reader or writer that ran out of bounds stays "bad", so that one
 * check at the end of a message is enough; a bad reader yields zeroes.
 */
#ifndef SWTIO_IMAGE_BYTES_H
#define SWTIO_IMAGE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader { const uint8_t *p; size_t len, at; bool bad; };
struct writer { uint8_t *p; size_t cap, at; bool bad; };

static inline struct reader reader_of(const void *p, size_t len)
{
	return (struct reader){ .p = p, .len = len };
}

static inline struct writer writer_of(void *p, size_t cap)
{
	return (struct writer){ .p = p, .cap = cap };
}

static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : r->len - r->at;
}

/* n bytes in place, or NULL (and the reader bad). */
static inline const uint8_t *get_bytes(struct reader *r, size_t n)
{
	const uint8_t *p;

	if (r->bad || n > r->len - r->at) {
		r->bad = true;
		return NULL;
	}
	p = r->p + r->at;
	r->at += n;
	return p;
}

static inline void get_copy(struct reader *r, void *to, size_t n)
{
	const uint8_t *p = get_bytes(r, n);

	if (!n)
		return;
	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

/* n is at most 8. */
static inline uint64_t get_le(struct reader *r, size_t n)
{
	const uint8_t *p = get_bytes(r, n);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, n);
	return le64toh(v);
}

static inline uint8_t get_u8(struct reader *r) { return (uint8_t)get_le(r, 1); }
static inline uint16_t get_le16(struct reader *r) { return (uint16_t)get_le(r, 2); }
static inline uint32_t get_le24(struct reader *r) { return (uint32_t)get_le(r, 3); }
static inline uint32_t get_le32(struct reader *r) { return (uint32_t)get_le(r, 4); }
static inline uint64_t get_le64(struct reader *r) { return get_le(r, 8); }

/* Room for n bytes, zeroed, or NULL (and the writer bad). */
static inline uint8_t *put_space(struct writer *w, size_t n)
{
	uint8_t *p;

	if (w->bad || n > w->cap - w->at) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->at;
	w->at += n;
	if (n)
		memset(p, 0, n);
	return p;
}

static inline void put_bytes(struct writer *w, const void *from, size_t n)
{
	uint8_t *p = put_space(w, n);

	if (p && n)
		memcpy(p, from, n);
}

static inline void put_le(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *p = put_space(w, n);

	v = htole64(v);
	if (p)
		memcpy(p, &v, n);
}

static inline void put_u8(struct writer *w, uint8_t v) { put_le(w, v, 1); }
static inline void put_le16(struct writer *w, uint16_t v) { put_le(w, v, 2); }
static inline void put_le24(struct writer *w, uint32_t v) { put_le(w, v, 3); }
static inline void put_le32(struct writer *w, uint32_t v) { put_le(w, v, 4); }
static inline void put_le64(struct writer *w, uint64_t v) { put_le(w, v, 8); }

#endif
