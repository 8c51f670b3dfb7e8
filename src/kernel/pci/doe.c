/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The requester's side of Data Object Exchange (PCIe 6.x 6.30), by config requests alone. The
 * mailbox is the device's; it may stay busy, lie about lengths or never answer: every loop here is
 * bounded by the clock or by the object's largest size.
 */
#include "kernel/pci/internal.h"

#define DOE_CONTROL 0x08
#define DOE_CONTROL_ABORT 0x1u
#define DOE_CONTROL_GO 0x80000000u
#define DOE_STATUS 0x0c
#define DOE_STATUS_BUSY 0x1u
#define DOE_STATUS_ERROR 0x4u
#define DOE_STATUS_READY 0x80000000u
#define DOE_WRITE 0x10
#define DOE_READ 0x14

#define DOE_TIMEOUT 1000000000ull		/* ns, per object and for an abort */
#define DOE_POLL (DOE_TIMEOUT / 128)
#define DOE_LENGTH_MAX 0x40000u			/* DW; a length field of 0 means this */

static uint32_t doe_read(const struct pci_dev *mailbox, unsigned int reg)
{
	return config_read(mailbox->rid, mailbox->cap_doe + reg, 4);
}

static void doe_write(const struct pci_dev *mailbox, unsigned int reg, uint32_t value)
{
	config_write(mailbox->rid, mailbox->cap_doe + reg, 4, value);
}

/* The function that has the mailbox: a VF's is its PF's; TDISP wants it on function 0. */
static const struct pci_dev *doe_mailbox(const struct pci_dev *pdev)
{
	const struct pci_dev *owner = pci_dev_find(pdev->pf_rid);

	if (owner && !owner->cap_doe)
		owner = pci_dev_find((uint16_t)(owner->rid & ~7));
	return owner && owner->cap_doe ? owner : NULL;
}

/* Waits for any of the bits to appear (or, with none, for both busy and error to go). */
static bool doe_poll(const struct pci_dev *mailbox, uint32_t bits)
{
	uint64_t end = image_clock() + DOE_TIMEOUT;

	for (;;) {
		uint32_t status = doe_read(mailbox, DOE_STATUS);

		if (bits ? status & bits : !(status & (DOE_STATUS_BUSY | DOE_STATUS_ERROR)))
			return true;
		if (image_clock() >= end)
			return false;
		image_clock_advance(DOE_POLL);
		image_wait(IMAGE_WAIT_DOE);
	}
}

static void doe_pending_set(const struct pci_dev *mailbox, bool pending)
{
	struct pci_dev *w = image_write(mailbox);

	w->doe_pending = pending;
	w->doe_serial += pending;
}

static int doe_abort(const struct pci_dev *mailbox)
{
	doe_write(mailbox, DOE_CONTROL, DOE_CONTROL_ABORT);
	if (!doe_poll(mailbox, 0))
		return -EIO;
	doe_pending_set(mailbox, false);
	return 0;
}

static int doe_send(const struct pci_dev *mailbox, const uint8_t *req, size_t len)
{
	struct reader r = reader_of(req, len);
	uint32_t status = doe_read(mailbox, DOE_STATUS);

	if (status & DOE_STATUS_BUSY)
		return -EBUSY;
	if (status & DOE_STATUS_ERROR)
		return -EIO;
	/* From here on a caller that dies leaves something behind; the next one clears it. */
	doe_pending_set(mailbox, true);
	while (reader_left(&r))
		doe_write(mailbox, DOE_WRITE, get_le32(&r));
	doe_write(mailbox, DOE_CONTROL, DOE_CONTROL_GO);
	image_wait(IMAGE_WAIT_DOE);
	return 0;
}

static uint32_t doe_pop(const struct pci_dev *mailbox)
{
	uint32_t dw = doe_read(mailbox, DOE_READ);

	doe_write(mailbox, DOE_READ, 0);
	return dw;
}

/* Bytes of the object, or -EIO. An answer larger than the room is drained, and refused. */
static int doe_receive(const struct pci_dev *mailbox, uint32_t type, uint8_t *rsp, size_t cap)
{
	uint32_t header = doe_pop(mailbox), length = doe_pop(mailbox) & (DOE_LENGTH_MAX - 1);
	struct writer w = writer_of(rsp, cap);

	if (!length)
		length = DOE_LENGTH_MAX;
	if ((header & 0xffffff) != type || length < 2)
		return -EIO;
	put_le32(&w, header);
	put_le32(&w, length & (DOE_LENGTH_MAX - 1));
	for (uint32_t i = 2; i < length; i++) {
		if (!(doe_read(mailbox, DOE_STATUS) & DOE_STATUS_READY))
			return -EIO;
		put_le32(&w, doe_pop(mailbox));
	}
	if (doe_read(mailbox, DOE_STATUS) & (DOE_STATUS_READY | DOE_STATUS_ERROR) || w.bad)
		return -EIO;
	return (int)w.at;
}

/* The answer to what was sent. */
static int doe_collect(const struct pci_dev *mailbox, const uint8_t *req, uint8_t *rsp, size_t cap)
{
	struct reader r = reader_of(req, 4);
	uint32_t type = get_le32(&r) & 0xffffff;
	int rc = -EIO;

	if (doe_poll(mailbox, DOE_STATUS_READY | DOE_STATUS_ERROR) &&
	    !(doe_read(mailbox, DOE_STATUS) & DOE_STATUS_ERROR))
		rc = doe_receive(mailbox, type, rsp, cap);
	if (rc < 0)
		doe_abort(mailbox);
	else
		doe_pending_set(mailbox, false);
	return rc;
}

static int doe_exchange(const struct pci_dev *mailbox, const uint8_t *req, size_t len, uint8_t *rsp,
			size_t cap)
{
	int rc = mailbox->doe_pending ? doe_abort(mailbox) : 0;

	if (!rc)
		rc = doe_send(mailbox, req, len);
	if (!rc)
		return doe_collect(mailbox, req, rsp, cap);
	doe_abort(mailbox);
	return rc;
}

static const char *doe_type_name(uint8_t type)
{
	static const char *const names[] = { "DOE discovery", "DOE SPDM", "DOE secured SPDM" };

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "DOE";
}

int pci_doe(const struct pci_dev *pdev, enum lane from, const uint8_t *req, size_t len,
	    uint8_t *rsp, size_t cap)
{
	const struct pci_dev *mailbox = doe_mailbox(pdev);
	struct trace_call call;
	int rc;

	if (!mailbox)
		return -ENXIO;
	if (len < 8 || len % 4 || len / 4 > DOE_LENGTH_MAX || cap < 8)
		return -EINVAL;
	rc = klock_acquire(&mailbox->doe_lock, KLOCK_DOE, KLOCK_WRITE);
	if (rc)
		return rc;
	call = TRACE_CALL(from, LANE_HARDWARE, doe_type_name(req[2]), A("rid", mailbox->rid),
			  A("bytes", len));
	rc = doe_exchange(mailbox, req, len, rsp, cap);
	trace_return(&call, rc, NULL);
	klock_release(&mailbox->doe_lock, KLOCK_WRITE);
	/* The exchange cannot be undone, nor may its failure bring the lock back. Committed it is by the
	 * caller, with the answer: who is killed with the answer in hand finds it in the mailbox again. */
	image_keep();
	return rc;
}

uint32_t pci_doe_serial(const struct pci_dev *pdev)
{
	const struct pci_dev *mailbox = doe_mailbox(pdev);

	return mailbox ? mailbox->doe_serial : 0;
}

int pci_doe_resume(const struct pci_dev *pdev, enum lane from, uint32_t serial, const uint8_t *req,
		   uint8_t *rsp, size_t cap)
{
	const struct pci_dev *mailbox = doe_mailbox(pdev);
	struct trace_call call;
	int rc;

	if (!mailbox)
		return -ENXIO;
	if (mailbox->doe_serial == serial)
		return -ENODATA;
	if (mailbox->doe_serial != serial + 1 || !mailbox->doe_pending)
		return -EIO;
	rc = klock_acquire(&mailbox->doe_lock, KLOCK_DOE, KLOCK_WRITE);
	if (rc)
		return rc;
	call = TRACE_CALL(from, LANE_HARDWARE, "DOE answer", A("rid", mailbox->rid));
	rc = doe_collect(mailbox, req, rsp, cap);
	trace_return(&call, rc, NULL);
	klock_release(&mailbox->doe_lock, KLOCK_WRITE);
	image_keep();
	return rc;
}
