/* SPDX-License-Identifier: BSD-2-Clause */
/* The DMA engine's driver: what it knows of the device is engine.h. */
#include "device/engine.h"
#include "guest/internal.h"

#define ENGINE_ID_VALUE 0x54494f31u
#define CONTROL_START 1u
#define POLLS_MAX 100u
#define NO_VECTOR 0xffffffffu
#define MSI_ADDRESS 0xfee00000u

int64_t stage_device(const struct guest_call *call)
{
	struct guest_place *place = image_write(&call->guest->place);

	guest_arg(call, "func", &place->func);
	guest_arg(call, "bdf", &place->bdf);
	guest_arg(call, "bar0", &place->bar[0]);
	guest_arg(call, "bar2", &place->bar[2]);
	guest_arg(call, "buffer", &place->buffer);
	guest_arg(call, "scratch", &place->scratch);
	return 0;
}

static int64_t id_check(const struct guest_call *call, bool t)
{
	uint64_t id = 0;
	int rc = guest_bar_read(call, 0, ENGINE_ID, t, &id, 4);

	if (rc)
		return rc;
	guest_leave(call, "id", id);
	return id == ENGINE_ID_VALUE ? 0 : -ENODEV;
}

int64_t stage_enumerate(const struct guest_call *call)
{
	return id_check(call, false);
}

int64_t stage_driver_bind(const struct guest_call *call)
{
	int64_t rc = id_check(call, true);

	if (rc)
		return rc;
	*(bool *)image_write(&call->guest->tee) = true;
	return 0;
}

int64_t stage_driver_unbind(const struct guest_call *call)
{
	*(bool *)image_write(&call->guest->tee) = false;
	return 0;
}

static bool width_ok(uint64_t len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

int64_t stage_mmio_read(const struct guest_call *call)
{
	uint64_t len = guest_arg_or(call, "len", 4), value = 0;
	int rc;

	if (!width_ok(len))
		return -EINVAL;
	rc = guest_bar_read(call, (unsigned int)guest_arg_or(call, "bar", 0),
			    guest_arg_or(call, "offset", 0),
			    guest_arg_or(call, "t", call->guest->tee), &value, (unsigned int)len);
	if (rc == -EAGAIN)
		return rc;
	guest_leave(call, "value", rc ? UINT64_MAX >> (64 - 8 * len) : value);
	return rc;
}

int64_t stage_mmio_write(const struct guest_call *call)
{
	uint64_t len = guest_arg_or(call, "len", 4);

	if (!width_ok(len))
		return -EINVAL;
	return guest_bar_write(call, (unsigned int)guest_arg_or(call, "bar", 0),
			       guest_arg_or(call, "offset", 0),
			       guest_arg_or(call, "t", call->guest->tee),
			       guest_arg_or(call, "value", 0), (unsigned int)len);
}

/* Table entries: address, data, control; unmasked. The table is never TEE memory unless locked, and
 * the driver does not ask for that: T=0. */
int64_t stage_irq_setup(const struct guest_call *call)
{
	uint64_t vectors = guest_arg_or(call, "vectors", 1);

	if (!vectors || vectors > ENGINE_MSIX_VECTORS)
		return -EINVAL;
	for (uint64_t at = call->guest->now.at; at < vectors * 4; at++) {
		const uint64_t words[4] = { MSI_ADDRESS, 0, at / 4, 0 };
		int rc = guest_bar_write(call, 0, ENGINE_MSIX_TABLE + 4 * at, false, words[at % 4],
					 4);

		if (rc)
			return rc;
		guest_at(call, at + 1);
	}
	return (int64_t)vectors;
}

/* -- DMA ------------------------------------------------------------------------------------- */
enum { DMA_PROGRAM, DMA_POLL, DMA_INTERRUPT, DMA_RESULTS };

static int64_t dma_program(const struct guest_call *call)
{
	/* T=1 addresses are guest-physical, SHARED bit and all; an ordinary device knows of no such bit. */
	bool shared = call->guest->tee && guest_arg_or(call, "shared", 0);
	uint64_t bit = shared ? guest_shared_bit(call->vcpu) : 0;
	const struct { uint16_t reg; uint8_t len; uint64_t value; } writes[] = {
		{ ENGINE_OP, 4, guest_arg_or(call, "op", ENGINE_CHECKSUM) },
		{ ENGINE_SRC, 8, guest_arg_or(call, "src", 0) | bit },
		{ ENGINE_DST, 8, guest_arg_or(call, "dst", 0) | bit },
		{ ENGINE_LEN, 4, guest_arg_or(call, "len", PHYS_PAGE) },
		{ ENGINE_VECTOR, 4, guest_arg_or(call, "vector", NO_VECTOR) },
		{ ENGINE_CONTROL, 4, CONTROL_START },
	};

	for (uint64_t at = call->guest->now.at; at < sizeof(writes) / sizeof(writes[0]); at++) {
		int rc = guest_bar_write(call, 0, writes[at].reg, call->guest->tee,
					 writes[at].value, writes[at].len);

		if (rc)
			return rc;
		guest_at(call, at + 1);
	}
	guest_phase(call, DMA_POLL);
	return 0;
}

static int64_t dma_poll(const struct guest_call *call)
{
	uint64_t status = 0;
	int rc = guest_bar_read(call, 0, ENGINE_STATUS, call->guest->tee, &status, 4);

	if (rc)
		return rc;
	if (status & ENGINE_STATUS_BUSY)
		return call->guest->now.polls < POLLS_MAX ? guest_idle(call) : -ETIMEDOUT;
	guest_leave(call, "status", status);
	guest_phase(call, DMA_INTERRUPT);
	return 0;
}

static int64_t dma_interrupt(const struct guest_call *call)
{
	uint64_t vector = guest_arg_or(call, "vector", NO_VECTOR);
	uint64_t bit = vector < 64 ? 1ull << vector : 0;

	if (bit && !(call->vcpu->interrupts & bit))
		return call->guest->now.polls < POLLS_MAX ? guest_idle(call) : -ETIMEDOUT;
	if (bit)
		*(uint64_t *)image_write(&call->vcpu->interrupts) = call->vcpu->interrupts & ~bit;
	guest_phase(call, DMA_RESULTS);
	return 0;
}

static int64_t dma_results(const struct guest_call *call)
{
	static const struct { uint16_t reg; const char *name; } results[] = {
		{ ENGINE_DONE, "done" }, { ENGINE_SUM, "sum" },
	};
	bool found;

	for (uint64_t at = call->guest->now.at; at < sizeof(results) / sizeof(results[0]); at++) {
		uint64_t value = 0;
		int rc = guest_bar_read(call, 0, results[at].reg, call->guest->tee, &value, 8);

		if (rc)
			return rc;
		guest_leave(call, results[at].name, value);
		guest_at(call, at + 1);
	}
	return guest_value(call->guest->vm, "status", &found) & ENGINE_STATUS_ERROR ? -EIO : 0;
}

int64_t stage_dma(const struct guest_call *call)
{
	static const guest_stage phases[] = {
		[DMA_PROGRAM] = dma_program, [DMA_POLL] = dma_poll, [DMA_INTERRUPT] = dma_interrupt,
		[DMA_RESULTS] = dma_results,
	};

	for (;;) {
		unsigned int phase = call->guest->now.phase;
		int64_t rc = phases[phase](call);

		if (rc || phase == DMA_RESULTS)
			return rc;
	}
}
