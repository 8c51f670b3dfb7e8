/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses: memory and BARs, and accepting private memory before it is touched. */
#include "guest/internal.h"

#include <stdio.h>

static bool extent_has(const struct guest *guest, uint64_t page)
{
	for (unsigned int i = 0; i < GUEST_EXTENTS; i++)
		if (page >= guest->accepted[i].first && page < guest->accepted[i].end)
			return true;
	return false;
}

/* Harmless: an accepted page is accepted again, in vain. */
void guest_forget(const struct guest_call *call)
{
	memset(image_write(&call->guest->accepted), 0, sizeof(call->guest->accepted));
}

void guest_accepted(const struct guest *guest, uint64_t first, uint64_t end)
{
	const struct guest_extent *slot = NULL;
	struct guest_extent *w;

	for (unsigned int i = 0; i < GUEST_EXTENTS; i++) {
		const struct guest_extent *e = &guest->accepted[i];

		if (e->end == first && e->end != e->first) {
			slot = e;
			break;
		}
		if (e->end == e->first && !slot)
			slot = e;
	}
	if (!slot)
		slot = &guest->accepted[first / PHYS_PAGE % GUEST_EXTENTS];
	w = image_write(slot);
	*w = (struct guest_extent){ w->end == first && w->first != w->end ? w->first : first, end };
}

int guest_refused(const struct guest_call *call, uint64_t status, const char *text)
{
	struct guest_outcome *outcome = image_write(&call->guest->outcome);

	outcome->status = status;
	snprintf(outcome->text, sizeof(outcome->text), "%s", text);
	return -EACCES;
}

void guest_refusal_forget(const struct guest_call *call)
{
	memset(image_write(&call->guest->outcome), 0, sizeof(call->guest->outcome));
}

int guest_accept(const struct guest_call *call, uint64_t gpa, uint64_t pages, unsigned int level)
{
	uint64_t size = (uint64_t)PHYS_PAGE << (9 * level);

	for (uint64_t at = gpa; at < gpa + pages * PHYS_PAGE; at += size) {
		bool already = false;
		int rc;

		if (extent_has(call->guest, at))
			continue;
		rc = guest_platform()->page_accept(call, at, level, &already);
		if (rc && already) {
			guest_refusal_forget(call);
			rc = 0;
		}
		if (rc)
			return rc;
		guest_accepted(call->guest, at, at + size);
	}
	return 0;
}

static int touch(const struct guest_call *call, uint64_t gpa, bool shared, uint64_t len)
{
	uint64_t first = gpa & ~(uint64_t)(PHYS_PAGE - 1);

	if (shared || !call->vcpu->tee_owner || !len)
		return 0;
	return guest_accept(call, first, (gpa + len - first + PHYS_PAGE - 1) / PHYS_PAGE, 0);
}

int guest_read(const struct guest_call *call, uint64_t gpa, bool shared, void *to, uint64_t len)
{
	int rc = touch(call, gpa, shared, len);

	return rc ? rc
		  : cpu_guest_read(call->vcpu, gpa | (shared ? guest_shared_bit(call->vcpu) : 0),
				   to, len);
}

int guest_write(const struct guest_call *call, uint64_t gpa, bool shared, const void *from,
		uint64_t len)
{
	int rc = touch(call, gpa, shared, len);

	return rc ? rc
		  : cpu_guest_write(call->vcpu, gpa | (shared ? guest_shared_bit(call->vcpu) : 0),
				    from, len);
}

static uint64_t bar_gpa(const struct guest_call *call, unsigned int bar, uint64_t offset, bool t)
{
	return (call->guest->place.bar[bar % GUEST_BARS] + offset) |
	       (t ? 0 : guest_shared_bit(call->vcpu));
}

int guest_bar_read(const struct guest_call *call, unsigned int bar, uint64_t offset, bool t,
		   uint64_t *value, unsigned int len)
{
	uint8_t bytes[8];
	struct reader r = reader_of(bytes, len);
	int rc = cpu_guest_read(call->vcpu, bar_gpa(call, bar, offset, t), bytes, len);

	if (!rc)
		*value = get_le(&r, len);
	return rc;
}

int guest_bar_write(const struct guest_call *call, unsigned int bar, uint64_t offset, bool t,
		    uint64_t value, unsigned int len)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le(&w, value, len);
	return cpu_guest_write(call->vcpu, bar_gpa(call, bar, offset, t), bytes, len);
}

uint64_t guest_splitmix(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
