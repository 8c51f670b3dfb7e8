/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DOE mailbox. An object is answered within the write of Go, so Busy shows only while the
 * device has the object (seen at a wait point or after a kill) and when a timeout is injected. What
 * the specification leaves open is decided so: writing while Busy, Go while an answer waits to be
 * read, and popping nothing are errors, which stay until Abort.
 */
#include "hardware/doe.h"
#include "hardware/hardware.h"
#include "trace/capture.h"
#include "trace/trace.h"

#include <errno.h>

/* Registers, offsets from the capability (7.9.24). */
#define DOE_CAP_LEN 0x18u
#define DOE_VERSION 2
#define DOE_CONTROL 0x08
#define DOE_CONTROL_ABORT 0x00000001u
#define DOE_CONTROL_GO 0x80000000u
#define DOE_STATUS 0x0c
#define DOE_STATUS_BUSY 0x00000001u
#define DOE_STATUS_ERROR 0x00000004u
#define DOE_STATUS_READY 0x80000000u
#define DOE_WRITE 0x10
#define DOE_READ 0x14

#define DOE_VENDOR_PCISIG 0x0001u
#define DOE_HEADER 8u
#define DOE_OBJECT_NS 50000u		/* what one exchange costs in virtual time */
#define DOE_BUFFER 4096u		/* first size of a buffer */

struct doe {
	uint32_t status;
	uint32_t written;		/* bytes of request in the mailbox */
	uint32_t answer_len, taken;	/* bytes of answer, and how far it is read */
	uint32_t fault, fault_count;
	uint32_t request_room, answer_room;
	const uint8_t *request, *answer;
};

unsigned int doe_add(const struct function *fn)
{
	unsigned int cap = config_add_ext_cap(fn, PCI_EXT_CAP_ID_DOE, DOE_VERSION, DOE_CAP_LEN);
	const struct doe *doe = cap ? image_alloc(sizeof(*doe), IMAGE_TYPE_DOE) : NULL;

	if (!doe)
		return 0;
	hw_set(&fn->doe, doe);
	return cap;
}

void doe_free(const struct function *fn)
{
	const struct doe *doe = fn->doe;

	if (!doe)
		return;
	image_free(doe->request);
	image_free(doe->answer);
	image_free(doe);
}

/* Makes *buffer hold at least `need` bytes, keeping `used` of them. */
static int buffer_grow(const uint8_t *const *buffer, const uint32_t *room, uint32_t used,
		       uint32_t need)
{
	uint32_t size = *room ? *room : DOE_BUFFER;
	uint8_t *larger;

	if (need <= *room)
		return 0;
	while (size < need)
		size *= 2;
	larger = image_alloc(size, IMAGE_TYPE_DOE);
	if (!larger)
		return -ENOMEM;
	if (used)
		memcpy(larger, *buffer, used);
	image_free(*buffer);
	hw_set(buffer, larger);
	hw_set(room, size);
	return 0;
}

static void doe_error(const struct doe *doe)
{
	hw_set(&doe->status, doe->status | DOE_STATUS_ERROR);
}

static void doe_push(const struct doe *doe, uint32_t value)
{
	struct writer w;

	if (doe->status & (DOE_STATUS_BUSY | DOE_STATUS_ERROR) ||
	    doe->written + 4 > DOE_MAX_OBJECT ||
	    buffer_grow(&doe->request, &doe->request_room, doe->written, doe->written + 4)) {
		doe_error(doe);
		return;
	}
	w = writer_of(image_log(doe->request + doe->written, 4), 4);
	put_le32(&w, value);
	hw_set(&doe->written, doe->written + 4);
}

static void doe_pop(const struct doe *doe)
{
	if (!(doe->status & DOE_STATUS_READY)) {
		doe_error(doe);
		return;
	}
	hw_set(&doe->taken, doe->taken + 4);
	if (doe->taken >= doe->answer_len)
		hw_set(&doe->status, doe->status & ~DOE_STATUS_READY);
}

/* Discovery (6.30.1.1.1): which object types this mailbox speaks, one an index. */
static int doe_discovery(const uint8_t *types, struct reader *req, uint8_t *rsp, size_t cap,
			 size_t *len)
{
	struct writer w = writer_of(rsp, cap);
	size_t count = 1 + (types ? strlen((const char *)types) : 0);
	uint8_t index;

	if (reader_left(req) != 4)
		return -ENOMSG;
	index = get_u8(req);
	put_le16(&w, DOE_VENDOR_PCISIG);
	put_le16(&w, DOE_TYPE_DISCOVERY);
	put_le32(&w, 3);
	put_le16(&w, index < count ? DOE_VENDOR_PCISIG : 0xffff);
	put_u8(&w, index && index < count ? types[index - 1] : DOE_TYPE_DISCOVERY);
	put_u8(&w, index + 1u < count ? (uint8_t)(index + 1) : 0);
	*len = w.at;
	return w.bad ? -ENOMSG : 0;
}

static bool doe_speaks(const struct function_ops *ops, uint8_t type)
{
	return ops && ops->doe_object && ops->doe_types && type &&
	       strchr((const char *)ops->doe_types, type);
}

static int doe_dispatch(const struct function *fn, const uint8_t *req, size_t len, uint8_t *rsp,
		      size_t cap, size_t *rsp_len)
{
	const struct function_ops *ops = function_model_ops(fn->model);
	struct reader r = reader_of(req, len);
	uint32_t vendor = get_le16(&r), type = get_u8(&r), dws;

	get_u8(&r);
	dws = get_le32(&r) & 0x3ffff;
	if (r.bad || vendor != DOE_VENDOR_PCISIG || (uint64_t)dws * 4 != len)
		return -ENOMSG;
	if (type == DOE_TYPE_DISCOVERY)
		return doe_discovery(ops ? ops->doe_types : NULL, &r, rsp, cap, rsp_len);
	if (!doe_speaks(ops, (uint8_t)type))
		return -ENOMSG;
	return ops->doe_object(fn, req, len, rsp, cap, rsp_len);
}

/* One request object to its answer: 0, or -ENOMSG to drop it without one. */
static int doe_answer(const struct function *fn, const uint8_t *req, size_t len, uint8_t *rsp,
		      size_t cap, size_t *rsp_len)
{
	int rc;

	capture_object(fn->rid, true, req, len);
	rc = doe_dispatch(fn, req, len, rsp, cap, rsp_len);
	if (!rc)
		capture_object(fn->rid, false, rsp, *rsp_len);
	return rc;
}

int doe_object(uint16_t rid, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap,
	       size_t *rsp_len)
{
	const struct function *fn = function_find(rid);
	struct trace_call call;
	int rc;

	if (!fn || !fn->doe)
		return -ENOENT;
	call = TRACE_CALL(LANE_HARDWARE, LANE_DEVICE, "DOE object", A("rid", rid), A("len", len),
			  A("type", len > 2 ? req[2] : 0));
	image_clock_advance(DOE_OBJECT_NS);
	rc = doe_answer(fn, req, len, rsp, cap, rsp_len);
	trace_return(&call, rc, NULL);
	return rc;
}

static const char *const fault_names[] = {
	[DOE_FAULT_NONE] = "", [DOE_FAULT_TIMEOUT] = "injected timeout",
	[DOE_FAULT_TRUNCATE] = "injected truncation", [DOE_FAULT_CORRUPT] = "injected corruption",
	[DOE_FAULT_ERROR] = "injected error",
};

static enum doe_fault fault_take(const struct doe *doe)
{
	if (!doe->fault_count)
		return DOE_FAULT_NONE;
	hw_set(&doe->fault_count, doe->fault_count - 1);
	return (enum doe_fault)doe->fault;
}

/* Puts the answer into the mailbox, spoiled if a fault says so. */
static void doe_deliver(const struct doe *doe, enum doe_fault fault, const uint8_t *rsp, size_t len)
{
	uint32_t dw_len = (uint32_t)((len + 3) & ~(size_t)3);
	uint8_t *to;

	if (fault == DOE_FAULT_TRUNCATE)
		dw_len = dw_len > DOE_HEADER ? dw_len - 4 : dw_len;
	if (buffer_grow(&doe->answer, &doe->answer_room, 0, dw_len)) {
		doe_error(doe);
		return;
	}
	to = image_log(doe->answer, dw_len);
	memset(to, 0, dw_len);
	memcpy(to, rsp, len < dw_len ? len : dw_len);
	if (fault == DOE_FAULT_CORRUPT && dw_len > DOE_HEADER)
		to[DOE_HEADER + (dw_len - DOE_HEADER) / 2] ^= 0x40;
	hw_set(&doe->answer_len, dw_len);
	hw_set(&doe->taken, 0);
	hw_set(&doe->status, doe->status | DOE_STATUS_READY);
}

/* Go. From here on the device may have seen the object: it is committed as in flight first. */
static void doe_go(const struct function *fn, const struct doe *doe)
{
	static uint8_t scratch[DOE_MAX_OBJECT];	/* of this process; copied before anything waits */
	uint32_t len = doe->written;
	enum doe_fault fault;
	struct trace_call call;
	size_t rsp_len = 0;
	int rc;

	if (doe->status & (DOE_STATUS_BUSY | DOE_STATUS_ERROR | DOE_STATUS_READY)) {
		doe_error(doe);
		return;
	}
	hw_set(&doe->status, doe->status | DOE_STATUS_BUSY);
	hw_set(&doe->written, 0);
	fault = fault_take(doe);
	call = TRACE_CALL(LANE_HARDWARE, LANE_DEVICE, "DOE object", A("rid", fn->rid),
			  A("len", len), A("type", len > 2 ? doe->request[2] : 0));
	image_keep();
	image_clock_advance(DOE_OBJECT_NS);
	rc = fault == DOE_FAULT_TIMEOUT ? -ETIMEDOUT :
	     doe_answer(fn, doe->request, len, scratch, sizeof(scratch), &rsp_len);
	trace_return(&call, rc, fault_names[fault]);
	if (fault == DOE_FAULT_TIMEOUT)
		return;		/* Busy stays until the requester aborts */
	hw_set(&doe->status, doe->status & ~DOE_STATUS_BUSY);
	if (fault == DOE_FAULT_ERROR)
		doe_error(doe);
	else if (!rc && rsp_len && rsp_len <= sizeof(scratch))
		doe_deliver(doe, fault, scratch, rsp_len);
	image_keep();
}

void doe_reset(const struct function *fn)
{
	const struct doe *doe = fn->doe;

	if (!doe || !(doe->status | doe->written))
		return;
	hw_set(&doe->status, 0);
	hw_set(&doe->written, 0);
	hw_set(&doe->answer_len, 0);
	hw_set(&doe->taken, 0);
}

static uint32_t doe_current(const struct doe *doe)
{
	struct reader r = reader_of(doe->answer, doe->answer_len);

	if (!(doe->status & DOE_STATUS_READY))
		return 0;
	get_bytes(&r, doe->taken);
	return get_le32(&r);
}

uint32_t doe_register_read(const struct function *fn, unsigned int reg)
{
	const struct doe *doe = fn->doe;

	if (doe && reg == DOE_STATUS)
		return doe->status;
	return doe && reg == DOE_READ ? doe_current(doe) : 0;
}

void doe_register_write(const struct function *fn, unsigned int reg, uint32_t value)
{
	const struct doe *doe = fn->doe;

	if (!doe)
		return;
	if (reg == DOE_WRITE)
		doe_push(doe, value);
	else if (reg == DOE_READ)
		doe_pop(doe);
	else if (reg == DOE_CONTROL && value & DOE_CONTROL_ABORT)
		doe_reset(fn);
	else if (reg == DOE_CONTROL && value & DOE_CONTROL_GO)
		doe_go(fn, doe);
}

int doe_inject(uint16_t rid, enum doe_fault fault, unsigned int count)
{
	const struct function *fn = function_find(rid);
	const struct doe *doe;

	if (fn && !fn->doe)
		fn = function_find(fn->pf_rid);
	if (fn && !fn->doe)
		fn = function_find(fn->rid & 0xfff8);
	if (!fn || !fn->doe)
		return -ENOENT;
	if ((unsigned int)fault > DOE_FAULT_ERROR)
		return -EINVAL;
	doe = fn->doe;
	hw_set(&doe->fault, fault);
	hw_set(&doe->fault_count, fault == DOE_FAULT_NONE ? 0 : count);
	return 0;
}
