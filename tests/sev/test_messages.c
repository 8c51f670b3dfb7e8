/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest asks of the PSP in sealed messages (R3.2, R3.5, R4.6): the seal, its sequence, and each
 * refusal of INFO, MMIO_VALIDATE and SDTE_WRITE by its status. The function has BAR0 in its report as
 * range 0, whose first pages are MSI-X's.
 */
#include "sev/rig.h"

#define GPA 0xe0000000ull
#define PAGES 2u

int main(void);

static uint64_t id_bound;

/* The TDI is bound and its pages are assigned and immutable, as a good host leaves them. */
static void with_pages(void)
{
	struct sev_tdi_view view;

	rig_bound();
	assert_int_equal(sev_tdi_view(RIG_VF, &view), 0);
	id_bound = view.tdi_id;
}

/* The first TEE page of the report's range `id`, in pages from the range's start. */
static uint64_t tee_hpa(unsigned int id, uint32_t page)
{
	uint64_t hpa = sev_reported(RIG_VF, id, page);

	assert_true(hpa);
	return hpa;
}

static void assign(uint64_t hpa, unsigned int pages, uint64_t gpa, uint16_t asid, bool immutable)
{
	const struct rmp_entry entry = { .assigned = true, .asid = asid, .gpa = gpa,
					 .immutable = immutable };

	for (unsigned int i = 0; i < pages; i++)
		rmp_immutable_clear(hpa + i * PHYS_PAGE);
	assert_rmp(rmpupdate(LANE_KVM, hpa, pages, &entry), RMP_OK);
}

/* One message sealed with key and number, and the PSP's status. */
static enum sev_status send(const uint8_t key[32], uint64_t sequence, uint8_t type,
			    const uint8_t *payload, size_t len)
{
	struct sev_command args = rig_tdi_args();
	uint8_t page[PHYS_PAGE] = { 0 };

	assert_true(sev_message_seal(key, sequence, type, payload, len, page, sizeof(page)) > 0);
	args.in = rig_page();
	assert_int_equal(phys_write(args.in, page, sizeof(page), 0), 0);
	return rig_call(SEV_CMD_TIO_GUEST_REQUEST, args);
}

/* A message of this guest's, by the rules; the answer's status and what follows it. */
static uint16_t ask(uint8_t type, const struct writer *payload, const uint8_t *bytes,
		    uint8_t answer[SEV_MESSAGE_MAX])
{
	uint8_t page[PHYS_PAGE], answered = 0;
	struct reader r;
	int len;

	assert_sev(send(rig.key, rig.sequence + 1, type, bytes, payload->at), SEV_SUCCESS);
	rig.sequence += 2;
	assert_int_equal(phys_read(rig.out, page, sizeof(page), 0), 0);
	len = sev_message_open(rig.key, rig.sequence, page, sizeof(page), &answered, answer,
			       SEV_MESSAGE_MAX);
	assert_true(len >= 16);
	assert_int_equal(answered, type + 1);
	r = reader_of(answer, (size_t)len);
	assert_int_equal(get_le16(&r), RIG_GUEST_RID);
	get_bytes(&r, 6);
	return get_le16(&r);
}

struct mmio { uint64_t id, gpa; uint32_t pages, offset; uint16_t range, rid; bool validate; };

static uint16_t mmio_validate(struct mmio m)
{
	uint8_t bytes[64], answer[SEV_MESSAGE_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le16(&w, RIG_GUEST_RID);
	put_space(&w, 6);
	put_le64(&w, m.id ? m.id : id_bound);
	put_le64(&w, m.gpa ? m.gpa : GPA);
	put_le32(&w, m.pages ? m.pages : PAGES);
	put_le32(&w, m.offset);
	put_u8(&w, m.validate);
	put_u8(&w, 0);
	put_le16(&w, m.range);
	put_le32(&w, 0);
	return ask(SEV_MSG_VALIDATE_REQ, &w, bytes, answer);
}

#define VALIDATE(...) mmio_validate((struct mmio){ .validate = true, __VA_ARGS__ })

static uint16_t sdte(uint64_t id, uint8_t flags, uint64_t vtom)
{
	uint8_t bytes[64], answer[SEV_MESSAGE_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le16(&w, RIG_GUEST_RID);
	put_space(&w, 6);
	put_le64(&w, id);
	put_u8(&w, flags);
	put_space(&w, 7);
	put_le64(&w, vtom);
	return ask(SEV_MSG_SDTE_REQ, &w, bytes, answer);
}

static void R3_5_the_seal(void **state)
{
	static const uint8_t wrong_key[32];
	uint8_t bytes[16] = { RIG_GUEST_RID & 0xff, RIG_GUEST_RID >> 8 };

	(void)state;
	with_pages();
	assert_sev(send(wrong_key, 1, SEV_MSG_INFO_REQ, bytes, 8), SEV_BAD_MEASUREMENT);
	assert_sev(send(rig.key, 2, SEV_MSG_INFO_REQ, bytes, 8), SEV_INVALID_PARAM);
	assert_sev(send(rig.key, 1, 77, bytes, 8), SEV_INVALID_PARAM);	/* no such message */
	assert_sev(send(rig.key, 1, SEV_MSG_INFO_REQ, bytes, 4), SEV_INVALID_PARAM);
	assert_sev(send(rig.key, 1, SEV_MSG_INFO_REQ, bytes, 8), SEV_SUCCESS);
	assert_sev(send(rig.key, 1, SEV_MSG_INFO_REQ, bytes, 8), SEV_INVALID_PARAM);	/* replayed */
	assert_sev(send(rig.key, 3, SEV_MSG_INFO_REQ, bytes, 8), SEV_SUCCESS);
}

static void R3_5_info(void **state)
{
	uint8_t bytes[16], answer[SEV_MESSAGE_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct reader r = reader_of(answer, sizeof(answer));

	(void)state;
	with_pages();
	put_le16(&w, RIG_GUEST_RID);
	put_space(&w, 6);
	assert_int_equal(ask(SEV_MSG_INFO_REQ, &w, bytes, answer), SEV_INFO_BOUND);
	get_bytes(&r, 16);
	assert_int_equal(get_le64(&r), id_bound);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SUCCESS);
	assert_int_equal(ask(SEV_MSG_INFO_REQ, &w, bytes, answer), SEV_INFO_UNBOUND);
}

static void R4_6_validate_refuses(void **state)
{
	uint64_t hpa;

	(void)state;
	with_pages();
	hpa = tee_hpa(0, 0);
	assert_int_equal(VALIDATE(), SEV_MMIO_NOT_ASSIGNED);
	assign(hpa, PAGES, GPA, RIG_ASID + 1, true);
	assert_int_equal(VALIDATE(), SEV_MMIO_NOT_ASSIGNED);		/* another guest's */
	assign(hpa, PAGES, GPA, RIG_ASID, false);
	assert_int_equal(VALIDATE(), SEV_MMIO_NOT_IMMUTABLE);
	assign(hpa, PAGES, GPA + PHYS_PAGE, RIG_ASID, true);
	assert_int_equal(VALIDATE(), SEV_MMIO_NOT_EXPECTED_GPA);
	assign(hpa, 1, GPA, RIG_ASID, true);
	assign(hpa + PHYS_PAGE, 1, GPA + PHYS_PAGE, RIG_ASID, false);
	assert_int_equal(VALIDATE(), SEV_MMIO_NOT_UNIFORM);
	assign(hpa, PAGES, GPA, RIG_ASID, true);
	assert_int_equal(VALIDATE(.id = id_bound + 1), SEV_MMIO_INVALID_TDI);
	assert_int_equal(VALIDATE(.range = 77), SEV_MMIO_NOT_REPORTED);
	assert_int_equal(VALIDATE(.offset = 1u << 20), SEV_MMIO_OUT_OF_RANGE);
	assert_int_equal(VALIDATE(.pages = 1u << 20), SEV_MMIO_OUT_OF_RANGE);
	assert_false(rmp_read(hpa).validated);
	assert_int_equal(VALIDATE(), SEV_MMIO_OK);
	assert_true(rmp_read(hpa).validated && rmp_read(hpa + PHYS_PAGE).validated);
	assert_false(rmp_read(hpa).immutable);		/* so that RMPUPDATE, and a fence, can follow */
	assert_int_equal(mmio_validate((struct mmio){ .validate = false }), SEV_MMIO_OK);
	assert_false(rmp_read(hpa).validated);
	assert_int_equal(VALIDATE(), SEV_MMIO_OK);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SUCCESS);
	assert_false(rmp_read(hpa).validated);		/* the unbind takes the guest's word back */
	assert_int_equal(VALIDATE(), SEV_MMIO_UNBOUND);
}

static void R3_5_sdte(void **state)
{
	const uint8_t on = SEV_SDTE_V | SEV_SDTE_READ | SEV_SDTE_WRITE | SEV_SDTE_VTOM;

	(void)state;
	with_pages();
	assert_false(iommu_sdte(RIG_VF).valid);		/* the bind does not write it */
	assert_int_equal(sdte(id_bound + 1, on, RMP_VTOM), SEV_SDTE_INVALID_TDI);
	assert_int_equal(sdte(id_bound, on | 0x80, RMP_VTOM), SEV_SDTE_RESERVED);
	assert_false(iommu_sdte(RIG_VF).valid);
	assert_int_equal(sdte(id_bound, on, RMP_VTOM), SEV_SDTE_OK);
	assert_true(iommu_sdte(RIG_VF).valid);
	assert_int_equal(iommu_sdte(RIG_VF).asid, RIG_ASID);
	assert_true(iommu_sdte(RIG_VF).vtom == RMP_VTOM);
	assert_int_equal(sdte(id_bound, 0, 0), SEV_SDTE_OK);
	assert_false(iommu_sdte(RIG_VF).valid);
	assert_int_equal(sdte(id_bound, on, RMP_VTOM), SEV_SDTE_OK);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SUCCESS);
	assert_false(iommu_sdte(RIG_VF).valid);
	assert_int_equal(sdte(id_bound, on, RMP_VTOM), SEV_SDTE_UNBOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(R3_5_the_seal), TEST(R3_5_info), TEST(R4_6_validate_refuses), TEST(R3_5_sdte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
