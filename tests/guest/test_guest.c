/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scripted guest over a real TDX module and device; this test is its KVM and its VMM: it cures
 * EPT violations and answers TDCM, well or badly.
 */
#include "tdx/rig.h"

#include "guest/guest.h"

#define VM 1u
#define BAR0 0xe0000000ull
#define BAR2 0xe0800000ull
#define BUFFER 0x0e000000ull
#define SHARED_PAGES 5u			/* of the buffer, mapped shared */
#define RAM_PAGES 64u

int main(void);

static struct host {
	const struct vcpu_hw *vcpu;
	const struct pt *ept;
	uint64_t shared;		/* HPA behind BUFFER */
	uint64_t ram, ram_used;		/* pages for private memory */
	unsigned int calls;		/* TDCM so far */
	unsigned int idle;		/* HLT exits */
	bool corrupt_report, long_answer, mute, no_mmio, cure_nothing;
	uint32_t error;
} host;

/* -- the VMM --------------------------------------------------------------------------------- */
static void answer(uint32_t error, const uint8_t *data, uint32_t len)
{
	uint8_t head[8];
	struct writer w = writer_of(head, sizeof(head));
	uint32_t done = TDCM_COMPLETED;

	put_le32(&w, error);
	put_le32(&w, host.long_answer ? 0x7fffffff : len);
	assert_int_equal(phys_write(host.shared + TDCM_HEADER, data, len, 0), 0);
	assert_int_equal(phys_write(host.shared + 8, head, sizeof(head), 0), 0);
	assert_int_equal(phys_write(host.shared + 4, &done, sizeof(done), 0), 0);
}

static void answer_pages(enum tdx_leaf leaf, struct tdx_args args, unsigned int part)
{
	static uint8_t blob[8 * PHYS_PAGE];
	uint64_t pages = rig_pages(8);
	struct reader r;
	const uint8_t *data = blob;
	uint32_t len;

	for (unsigned int i = 0; i < 8; i++)
		rig_poke(rig.list + 8 * i, pages + i * PHYS_PAGE);
	args.r12 = tdx_list(rig.list, 8);
	assert_tdx(rig_relay(leaf, &args), TDX_SUCCESS);
	assert_int_equal(phys_read(pages, blob, args.r13, 0), 0);
	len = (uint32_t)args.r13;
	if (leaf == TDX_SPDM_MNG) { /* certificates, measurements: each after its length */
		r = reader_of(blob, len);
		for (unsigned int i = 0; i <= part; i++) {
			len = get_le32(&r);
			data = get_bytes(&r, len);
		}
		assert_non_null(data);
	}
	if (host.corrupt_report)
		blob[len - 1] ^= 1;
	answer(0, data, len);
}

static void tdcm(void)
{
	uint64_t op = rig_peek(host.shared, 0) & UINT32_MAX,
		 which = rig_peek(host.shared + TDCM_HEADER, 0) & 1;

	host.calls++;
	*(uint64_t *)image_write(&host.vcpu->exit.ret[0]) = 0;
	if (host.mute)
		return;
	if (host.error || op == TDCM_CHECK_TEEIO) {
		answer(host.error, NULL, 0);
	} else if (op == TDCM_BIND) {
		assert_tdx(rig_bind(), TDX_SUCCESS);
		answer(0, NULL, 0);
	} else if (op == TDCM_GET_TDI_REPORT) {
		answer_pages(TDX_TDI_REPORT, (struct tdx_args){ .rcx = RIG_VF }, 0);
	} else if (op == TDCM_GET_DEV_INFO) {
		answer_pages(TDX_SPDM_MNG,
			     (struct tdx_args){ .rcx = rig.spdm, .rdx = TDX_MNG_DEV_INFO },
			     (unsigned int)which);
	} else if (op == TDCM_START) {
		uint64_t status = TALK(TDX_TDI_START, .rcx = RIG_VF);

		answer(status ? EPERM : 0, NULL, 0);
	} else {
		assert_int_equal(op, TDCM_UNBIND);
		assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
		answer(0, NULL, 0);
	}
}

/* -- KVM ------------------------------------------------------------------------------------- */
static bool map_mmio(uint64_t page)
{
	unsigned int bar = page >= BAR2 ? 2 : 0;
	uint64_t offset = page - (bar ? BAR2 : BAR0);

	if (host.no_mmio)
		return false;
	assert_tdx(rig_own(bar, offset, PHYS_PAGE, RIG_VF), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIO_MAP, .rcx = tdx_map(page, 0), .rdx = rig.tdr,
			.r8 = rig_bar(bar) + offset),
		   TDX_SUCCESS);
	return true;
}

static bool violation(void)
{
	uint64_t page = host.vcpu->exit.gpa & ~(uint64_t)(PHYS_PAGE - 1);

	if (!host.vcpu->exit.is_private || host.cure_nothing)
		return host.cure_nothing;
	rig_tables(page, 0);
	if (page >= BAR0)
		return map_mmio(page);
	assert_true(host.ram_used < RAM_PAGES);
	assert_tdx(CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(page, 0), .rdx = rig.tdr,
			.r8 = host.ram + host.ram_used++ * PHYS_PAGE), TDX_SUCCESS);
	return true;
}

/* Runs the posted verb to its end; its result. -ENOSYS: an exit nobody answers. */
static int64_t run(uint64_t *status, char text[48])
{
	int64_t result = 0;

	for (unsigned int i = 0; i < 5000; i++) {
		if (guest_progress(VM, &result, status, text, 48) != GUEST_RUNNING)
			return result;
		guest_run(host.vcpu);
		switch (host.vcpu->exit.reason) {
		case CPU_EXIT_EPT_VIOLATION:
			if (!violation())
				return -ENOSYS;
			*(enum cpu_exit *)image_write(&host.vcpu->exit.reason) = CPU_EXIT_NONE;
			break;
		case CPU_EXIT_VMCALL:
			assert_int_equal(host.vcpu->exit.fn, GHCI_VMCALL_TDCM);
			tdcm();
			break;
		case CPU_EXIT_IDLE:
			host.idle++;
			break;
		default:
			return -ENOSYS;
		}
	}
	return -ETIME;
}

#define MAX_ARGS 6
struct say { const char *verb; struct guest_arg args[MAX_ARGS]; };

static int post(const struct say *say)
{
	struct guest_verb verb = { 0 };

	snprintf(verb.name, sizeof(verb.name), "%s", say->verb);
	while (verb.nargs < MAX_ARGS && say->args[verb.nargs].key[0]) {
		verb.args[verb.nargs] = say->args[verb.nargs];
		verb.nargs++;
	}
	return guest_post(VM, &verb);
}

static int64_t say(const struct say *what, uint64_t *status)
{
	char text[48];

	assert_int_equal(post(what), 0);
	return run(status, text);
}

#define SAY(name, ...) say(&(struct say){ name, { __VA_ARGS__ } }, &(uint64_t){ 0 })
#define REFUSED(wanted, name, ...) do { \
	uint64_t got_ = 0; \
	assert_int_equal(say(&(struct say){ name, { __VA_ARGS__ } }, &got_), -EACCES); \
	assert_tdx(got_, wanted); \
} while (0)

static uint64_t value(const char *name)
{
	bool found;
	uint64_t got = guest_value(VM, name, &found);

	assert_true(found);
	return got;
}

static void setup_vm(void)
{
	struct pt *ept;
	struct vcpu_hw *vcpu;

	host = (struct host){ 0 };
	rig_function_on();
	rig_iommu();
	rig_td();
	rig_stream();
	rig_tdi();
	rig_dmar_add();
	ept = image_alloc(sizeof(*ept), IMAGE_TYPE_KVM);
	assert_int_equal(pt_init(ept, PT_EPT, 4), 0);
	host.shared = rig_pages(SHARED_PAGES);
	assert_int_equal(pt_map(ept, BUFFER, host.shared, SHARED_PAGES * PHYS_PAGE, PT_R | PT_W),
			 0);
	assert_int_equal(pt_map(ept, BAR0, rig_bar(0), ENGINE_BAR0_SIZE, PT_R | PT_W | PT_UC), 0);
	host.ept = ept;
	host.ram = rig_pages(RAM_PAGES);
	host.vcpu = rig_vcpu();
	vcpu = image_write(host.vcpu);
	vcpu->ept = ept;
}

/* -- tests ----------------------------------------------------------------------------------- */
static void R1_4_whole_driver_story(void **state)
{
	(void)state;
	setup_vm();
	assert_int_equal(SAY("enumerate"), 0);
	assert_int_equal(SAY("mem-write", { "gpa", 0x20000 }, { "len", 12000 }, { "seed", 7 }), 0);
	assert_int_equal(SAY("mem-check", { "gpa", 0x20000 }, { "len", 12000 }, { "seed", 7 }), 0);
	assert_int_equal(SAY("mem-check", { "gpa", 0x20000 }, { "len", 12000 }, { "seed", 8 }),
			 -EILSEQ);
	assert_int_equal(SAY("lock"), TDISP_LOCKED);
	assert_int_equal(host.calls, 3);
	assert_int_equal(SAY("report-parse"), 3);
	assert_int_equal(value("pages"), 4 + 10 + 512);
	assert_int_equal(SAY("tdcm-info", { "which", 0 }) > 0, 1);
	assert_int_equal(SAY("tdcm-info", { "which", 1 }) > 0, 1);
	assert_int_equal(SAY("attest"), 0);
	assert_int_equal(SAY("mmio-accept", { "index", 0 }, { "gpa", BAR0 }), 0);
	assert_int_equal(SAY("dmar-accept"), 0);
	assert_int_equal(SAY("tdi-start"), 0);
	assert_int_equal(SAY("tdcm-start"), 0);
	assert_int_equal(SAY("tdi-state"), TDISP_RUN);
	assert_int_equal(SAY("driver-bind"), 0);
	assert_int_equal(SAY("dma-check", { "src", 0x20000 }, { "len", 12000 }, { "seed", 7 }), 0);
	assert_int_equal(value("status"), ENGINE_STATUS_T1);
	assert_int_equal(SAY("dma-check", { "src", 0x20000 }, { "len", 12000 }, { "seed", 8 }),
			 -EILSEQ);
	assert_int_equal(SAY("dma", { "op", ENGINE_COPY }, { "src", 0x20000 }, { "dst", 0x21000 },
			     { "len", 64 }),
			 0);
	assert_int_equal(SAY("mem-check", { "gpa", 0x21000 }, { "len", 64 }, { "seed", 7 }), 0);
	assert_int_equal(SAY("driver-unbind"), 0);
	assert_int_equal(SAY("tdcm-unbind"), 0);
	assert_int_equal(SAY("tdi-state"), TDISP_UNLOCKED);
}

/* The whole BARs, page by page as the host maps them on the way. */
static void mmio_accept_finds_every_tee_page(void **state)
{
	uint64_t hpa;
	unsigned int level;

	(void)state;
	setup_vm();
	assert_int_equal(SAY("lock"), TDISP_LOCKED);
	assert_int_equal(SAY("mmio-accept"), -ENODATA);		/* no report parsed yet */
	assert_int_equal(SAY("report-parse"), 3);
	assert_int_equal(SAY("mmio-accept"), 526);
	assert_int_equal(tdx_sept_state(rig.tdr, BAR0 + 0x6000, &hpa, &level), SEPT_MMIO_MAPPED);
	assert_int_equal(hpa, rig_bar(0) + 0x6000);
	assert_int_equal(tdx_sept_state(rig.tdr, BAR0 + 0x4000, &hpa, &level),
			 SEPT_FREE); /* MSI-X */
	assert_int_equal(tdx_sept_state(rig.tdr, BAR2 + 511 * PHYS_PAGE, &hpa, &level),
			 SEPT_MMIO_MAPPED);
}

static void R4_6_hostile_accepts_are_refused(void **state)
{
	(void)state;
	setup_vm();
	assert_int_equal(SAY("lock"), TDISP_LOCKED);
	assert_int_equal(SAY("report-parse"), 3);
	REFUSED(TDX_MMIO_INVALID_HPA_OFFSET, "mmio-accept", { "index", 0 }, { "gpa", BAR0 },
		{ "offset", 1 }, { "pages", 1 });
	REFUSED(TDX_MMIO_INVALID_HPA_OFFSET, "mmio-accept", { "index", 1 }, { "gpa", BAR0 },
		{ "pages", 1 });
	REFUSED(TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE, "mmio-accept", { "index", 7 }, { "gpa", BAR0 },
		{ "pages", 1 });
	REFUSED(TDX_TDI_BIND_SESSION_MISMATCH, "tdi-start", { "session", 77 });
	REFUSED(TDX_PAGE_SIZE_MISMATCH, "mmio-accept", { "index", 2 }, { "gpa", BAR2 },
		{ "level", 1 });
}

/* A report changed on the way to the guest does not attest; one whose ranges are out of order is
 * not even read (X8). */
static void lies_about_the_report_are_caught(void **state)
{
	(void)state;
	setup_vm();
	host.corrupt_report = true;
	assert_int_equal(SAY("lock"), TDISP_LOCKED);
	assert_int_equal(SAY("attest"), -EBADMSG);
	host.corrupt_report = false;
	assert_int_equal(SAY("tdcm-report") > 0, 1);
	assert_int_equal(SAY("attest"), 0);
	assert_int_equal(device_inject(RIG_VF, DEVICE_FAULT_LIE_REPORT, 1), 0);
	assert_int_equal(SAY("tdcm-report") > 0, 1);
	assert_int_equal(SAY("report-parse"), -EPROTO);
}

static void tdcm_does_not_trust_the_vmm(void **state)
{
	(void)state;
	setup_vm();
	host.long_answer = true;
	assert_int_equal(SAY("tdcm-check"), -EPROTO);
	host.long_answer = false;
	host.error = ENODEV;
	assert_int_equal(SAY("tdcm-check"), -ENODEV);
	host.error = 0;
	host.mute = true;
	assert_int_equal(SAY("tdcm-check"), -ETIMEDOUT);
	assert_true(host.idle > 900);		/* 10 s of 10 ms looks */
	host.mute = false;
	assert_int_equal(SAY("tdcm-start"), -EPERM);
}

/* A verb takes up where an exit left it, also after the image went to disk and back in spirit: all
 * of its place is in the image. */
static void R6_7_verbs_survive_exits(void **state)
{
	struct say write = { "mem-write", { { "gpa", 0x30000 }, { "len", 3 * PHYS_PAGE } } };
	int64_t result;
	uint64_t status;
	image_mark mark;
	char text[48];

	(void)state;
	setup_vm();
	assert_int_equal(post(&write), 0);
	guest_run(host.vcpu);
	assert_int_equal(host.vcpu->exit.reason, CPU_EXIT_EPT_VIOLATION);
	assert_int_equal(host.vcpu->exit.gpa, 0x30000);
	assert_int_equal(guest_progress(VM, &result, &status, text, sizeof(text)), GUEST_RUNNING);
	mark = image_snapshot();
	assert_int_not_equal(mark, 0);
	assert_int_equal(run(&status, text), 0);
	assert_int_equal(image_restore(mark), 0);
	host.ram_used = 0;
	assert_int_equal(guest_progress(VM, &result, &status, text, sizeof(text)), GUEST_RUNNING);
	assert_int_equal(run(&status, text), 0);
	image_release(mark);
	assert_int_equal(SAY("mem-check", { "gpa", 0x30000 }, { "len", 3 * PHYS_PAGE }), 0);
}

static void exits_nobody_cures_end_the_verb(void **state)
{
	(void)state;
	setup_vm();
	host.cure_nothing = true;
	assert_int_equal(SAY("page-accept", { "gpa", 0x50000 }), -EFAULT);
}

static void bad_scripts_are_refused(void **state)
{
	struct guest_verb verb = { .name = "dma" };

	(void)state;
	setup_vm();
	assert_int_equal(post(&(struct say){ "dance" }), -EINVAL);
	assert_int_equal(post(&(struct say){ "dma", { { "colour", 1 } } }), -EINVAL);
	assert_int_equal(post(&(struct say){ "dma", { { "sr", 1 } } }), -EINVAL); /* half a key */
	verb.nargs = GUEST_VERB_ARGS + 1;
	assert_int_equal(guest_post(VM, &verb), -EINVAL);
	memset(verb.name, 'a', sizeof(verb.name));
	verb.nargs = 0;
	assert_int_equal(guest_post(VM, &verb), -EINVAL);
	assert_int_equal(SAY("dma-stream", { "len", 0 }), -EINVAL);
	assert_int_equal(SAY("dma-stream", { "len", 4096 }, { "piece", 0 }), -EINVAL);
	assert_int_equal(SAY("dma-stream", { "len", 4096 }, { "piece", 4095 }), -EINVAL);
	assert_int_equal(SAY("dma-stream", { "len", 4097 * 8 }, { "piece", 8 }), -EINVAL);
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(post(&(struct say){ "tdi-state" }), 0);
	assert_int_equal(post(&(struct say){ "tdi-state" }), -ENOSPC);
	assert_int_equal(guest_create(VM), -EEXIST);
	guest_gone(VM);
	assert_int_equal(image_live(IMAGE_TYPE_GUEST), 0);
}

/* Locked: T=0 to TEE pages is refused by the device, and no DMA is done. */
static void R4_4_locked_device_serves_nobody(void **state)
{
	(void)state;
	setup_vm();
	assert_int_equal(SAY("mmio-read", { "offset", ENGINE_ID }, { "t", 0 }), 0);
	assert_int_equal(value("value"), 0x54494f31);
	assert_int_equal(SAY("lock"), TDISP_LOCKED);
	assert_int_equal(SAY("mmio-read", { "offset", ENGINE_ID }, { "t", 0 }), -EIO);
	assert_int_equal(value("value"), 0xffffffff);
	assert_int_equal(SAY("report-parse"), 3);
	assert_int_equal(SAY("mmio-accept", { "index", 0 }, { "gpa", BAR0 }), 0);
	assert_int_equal(SAY("mmio-read", { "offset", ENGINE_ID }, { "t", 1 }), -EIO);
	assert_int_equal(SAY("driver-bind"), -EIO);
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(R1_4_whole_driver_story),
		LIFE(mmio_accept_finds_every_tee_page),
		LIFE(R4_6_hostile_accepts_are_refused),
		LIFE(lies_about_the_report_are_caught),
		LIFE(tdcm_does_not_trust_the_vmm),
		LIFE(R6_7_verbs_survive_exits),
		LIFE(exits_nobody_cures_end_the_verb),
		LIFE(bad_scripts_are_refused),
		LIFE(R4_4_locked_device_serves_nobody),
	};

	return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
