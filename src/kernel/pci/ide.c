/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selective IDE streams, PCIe 6.x 6.33 and 7.9.26: stream ids of the host bridge, one selective
 * block at the endpoint and one at its root port, and what is written there. Keys are the TSM's.
 *
 * The endpoint's stream is its default one and matches the root port by requester id; the root
 * port's matches the device's functions by requester id and their BARs by address.
 */
#include "kernel/pci/internal.h"

#define IDE_CAP 0x04
#define IDE_CAP_LINK 0x1u
#define IDE_CAP_SELECTIVE 0x2u
#define IDE_SEL_CONTROL 0x04
#define IDE_SEL_STATUS 0x08
#define IDE_SEL_RID 0x0c
#define IDE_SEL_ADDRESS 0x14
#define IDE_SEL_SIZE 20u		/* and 12 an address association */
#define IDE_CONTROL_ENABLE 0x1u
#define IDE_CONTROL_DEFAULT (1u << 22)
#define IDE_STATUS_STATE 0xfu
#define IDE_STATE_SECURE 2u
#define IDE_GRANULE_SHIFT 20

#define IDE_ASSOC 15u			/* address associations a block may have */

struct ide_port { const struct pci_dev *pdev; uint8_t block; };

struct ide_regs {			/* of a selective block */
	uint32_t control;		/* without enable */
	uint32_t rid[2];		/* RID association 1 and 2 */
	uint32_t address_count;
	struct { uint32_t reg[3]; } address[IDE_ASSOC];
};

static unsigned int ide_blocks(const struct pci_dev *pdev)
{
	uint32_t cap;

	if (!pdev || !pdev->cap_ide)
		return 0;
	cap = config_read(pdev->rid, pdev->cap_ide + IDE_CAP, 4);
	return cap & IDE_CAP_SELECTIVE ? (cap >> 16 & 0xff) + 1 : 0;
}

/* Where a selective block is; blocks differ in size. 0: beyond config space. */
static unsigned int ide_block(const struct ide_port *port, unsigned int *assoc)
{
	uint32_t cap = config_read(port->pdev->rid, port->pdev->cap_ide + IDE_CAP, 4);
	unsigned int at = port->pdev->cap_ide + 0x0cu;

	if (cap & IDE_CAP_LINK)
		at += 8 * ((cap >> 13 & 7) + 1);
	for (unsigned int i = 0; at + IDE_SEL_SIZE <= PCI_CFG_SPACE_EXP_SIZE; i++) {
		*assoc = config_read(port->pdev->rid, at, 4) & 0xf;
		if (i == port->block)
			return at + IDE_SEL_SIZE + 12 * *assoc <= PCI_CFG_SPACE_EXP_SIZE ? at : 0;
		at += IDE_SEL_SIZE + 12 * *assoc;
	}
	return 0;
}

static bool block_used(const struct pci_root *root, const struct pci_dev *pdev, unsigned int block)
{
	for (unsigned int id = 0; id < PCI_STREAMS; id++) {
		const struct pci_stream *s = &root->stream[id];

		if (s->used && ((s->ep == pdev->rid && s->ep_block == block) ||
				(s->rp == pdev->rid && s->rp_block == block)))
			return true;
	}
	return false;
}

static int block_free(const struct pci_root *root, const struct pci_dev *pdev)
{
	unsigned int blocks = ide_blocks(pdev);

	for (unsigned int i = 0; i < blocks; i++)
		if (!block_used(root, pdev, i))
			return (int)i;
	return -EBUSY;
}

int pci_ide_stream_alloc(const struct pci_dev *pdev)
{
	const struct pci_root *root = pci_root();
	const struct pci_dev *ep = pci_dev_find(pdev->pf_rid), *rp = pci_dev_find(pdev->root_port);
	int ep_block, rp_block;

	if (!ide_blocks(ep) || !ide_blocks(rp))
		return -ENXIO;
	ep_block = block_free(root, ep);
	rp_block = block_free(root, rp);
	if (ep_block < 0 || rp_block < 0)
		return -EBUSY;
	for (unsigned int id = 0; id < PCI_STREAMS; id++) {
		struct pci_stream *s;

		if (root->stream[id].used)
			continue;
		s = image_write(&root->stream[id]);
		*s = (struct pci_stream){ .used = true, .ep_block = (uint8_t)ep_block,
					  .ep = ep->rid, .rp = rp->rid,
					  .rp_block = (uint8_t)rp_block };
		return (int)id;
	}
	return -EBUSY;
}

/* -- address ranges of a device, in units of 1 MiB, inclusive ---------------------------------- */

struct span { uint64_t base, limit; };
#define SPANS 64u

static unsigned int span_add(struct span *spans, unsigned int count, struct span new)
{
	unsigned int at = 0;

	while (at < count && spans[at].base <= new.base)
		at++;
	if (count == SPANS)
		return count;
	memmove(&spans[at + 1], &spans[at], (count - at) * sizeof(*spans));
	spans[at] = new;
	return count + 1;
}

/* Joins what touches, then what lies nearest, until no more than `max` are left. */
static unsigned int spans_join(struct span *spans, unsigned int count, unsigned int max)
{
	for (;;) {
		unsigned int best = 0;
		uint64_t least = UINT64_MAX;

		for (unsigned int i = 1; i < count; i++) {
			uint64_t gap = spans[i].base > spans[i - 1].limit + 1 ?
				       spans[i].base - spans[i - 1].limit - 1 : 0;

			if (gap < least) {
				least = gap;
				best = i;
			}
		}
		if (count < 2 || (least && count <= max))
			return count;
		if (spans[best].limit > spans[best - 1].limit)
			spans[best - 1].limit = spans[best].limit;
		memmove(&spans[best], &spans[best + 1], (count - best - 1) * sizeof(*spans));
		count--;
	}
}

/* Functions of the endpoint's device: those below the same root port. Also the last rid of them. */
static unsigned int device_spans(uint16_t root_port, struct span *spans, uint16_t *last)
{
	const struct pci_dev *pdev;
	unsigned int count = 0;
	uint16_t rid = 0;

	for (; (pdev = pci_dev_next(&rid)); rid++) {
		if (pdev->root_port == root_port && pdev->rid != root_port) {
			*last = rid;
			for (unsigned int i = 0; i < FUNCTION_BARS; i++) {
				const struct function_bar *bar = pci_bar(pdev, i);

				if (bar && bar->hpa)
					count = span_add(spans, count, (struct span){
						bar->hpa >> IDE_GRANULE_SHIFT,
						(bar->hpa + bar->size - 1) >> IDE_GRANULE_SHIFT });
			}
		}
		if (rid == UINT16_MAX)
			break;
	}
	return count;
}

static void span_regs(const struct span *span, uint32_t reg[3])
{
	uint64_t base = span->base << IDE_GRANULE_SHIFT, limit = span->limit << IDE_GRANULE_SHIFT;

	reg[0] = 1 | (uint32_t)(base >> 20 & 0xfff) << 8 | (uint32_t)(limit >> 20 & 0xfff) << 20;
	reg[1] = (uint32_t)(limit >> 32);
	reg[2] = (uint32_t)(base >> 32);
}

/* -- registers --------------------------------------------------------------------------------- */

static const struct pci_stream *stream_of(const struct pci_dev *pdev, uint8_t id)
{
	const struct pci_root *root = pci_root();

	if (id >= PCI_STREAMS || !root->stream[id].used || root->stream[id].ep != pdev->pf_rid)
		return NULL;
	return &root->stream[id];
}

static struct ide_port port_ep(const struct pci_stream *s)
{
	return (struct ide_port){ pci_dev_find(s->ep), s->ep_block };
}

static struct ide_port port_rp(const struct pci_stream *s)
{
	return (struct ide_port){ pci_dev_find(s->rp), s->rp_block };
}

static int root_port_regs(const struct pci_stream *s, uint8_t stream_id, struct ide_regs *regs)
{
	struct span spans[SPANS];
	unsigned int room = 0;
	struct ide_port port;
	uint16_t last;

	port = port_rp(s);
	last = s->ep;
	if (!ide_block(&port, &room))
		return -ENXIO;
	memset(regs, 0, sizeof(*regs));
	regs->address_count = device_spans(s->rp, spans, &last);
	regs->address_count = room ? spans_join(spans, regs->address_count, room) : 0;
	regs->control = (uint32_t)stream_id << 24;
	regs->rid[0] = (uint32_t)last << 8;
	regs->rid[1] = 1 | (uint32_t)s->ep << 8;
	for (unsigned int i = 0; i < regs->address_count; i++)
		span_regs(&spans[i], regs->address[i].reg);
	return 0;
}

static int port_write(const struct ide_port *port, const struct ide_regs *regs)
{
	unsigned int assoc, at = ide_block(port, &assoc);
	uint16_t rid = port->pdev->rid;

	if (!at)
		return -ENXIO;
	for (unsigned int i = 0; i < 2; i++)
		config_write(rid, at + IDE_SEL_RID + 4 * i, 4, regs->rid[i]);
	for (unsigned int i = 0; i < assoc; i++)
		for (unsigned int j = 3; j-- > 0;)	/* the one with the valid bit last */
			config_write(rid, at + IDE_SEL_ADDRESS + 12 * i + 4 * j, 4,
				     i < regs->address_count ? regs->address[i].reg[j] : 0);
	config_write(rid, at + IDE_SEL_CONTROL, 4, regs->control);
	return 0;
}

int pci_ide_setup(const struct pci_dev *pdev, uint8_t stream_id)
{
	const struct pci_stream *s = stream_of(pdev, stream_id);
	struct ide_regs rp_regs, ep_regs = { 0 };
	struct ide_port ep, rp;
	int rc = s ? root_port_regs(s, stream_id, &rp_regs) : -ENXIO;

	if (rc)
		return rc;
	ep = port_ep(s);
	rp = port_rp(s);
	ep_regs.control = (uint32_t)stream_id << 24 | IDE_CONTROL_DEFAULT;
	ep_regs.rid[0] = (uint32_t)s->rp << 8;
	ep_regs.rid[1] = 1 | (uint32_t)s->rp << 8;
	rc = port_write(&ep, &ep_regs);
	return rc ? rc : port_write(&rp, &rp_regs);
}

static void port_enable(const struct ide_port *port, bool on)
{
	unsigned int assoc, at = ide_block(port, &assoc);
	uint32_t control;

	if (!at)
		return;
	control = config_read(port->pdev->rid, at + IDE_SEL_CONTROL, 4) & ~IDE_CONTROL_ENABLE;
	config_write(port->pdev->rid, at + IDE_SEL_CONTROL, 4,
		     control | (on ? IDE_CONTROL_ENABLE : 0));
}

static bool port_secure(const struct ide_port *port)
{
	unsigned int assoc, at = ide_block(port, &assoc);
	uint32_t status = at ? config_read(port->pdev->rid, at + IDE_SEL_STATUS, 4) : 0;

	return (status & IDE_STATUS_STATE) == IDE_STATE_SECURE;
}

int pci_ide_enable(const struct pci_dev *pdev, uint8_t stream_id)
{
	const struct pci_stream *s = stream_of(pdev, stream_id);
	struct ide_port ep, rp;

	if (!s)
		return -ENXIO;
	ep = port_ep(s);
	rp = port_rp(s);
	port_enable(&ep, true);
	port_enable(&rp, true);
	return port_secure(&ep) && port_secure(&rp) ? 0 : -ENXIO;
}

void pci_ide_disable(const struct pci_dev *pdev, uint8_t stream_id)
{
	const struct pci_stream *s = stream_of(pdev, stream_id);
	struct ide_port ep, rp;

	if (!s)
		return;
	ep = port_ep(s);
	rp = port_rp(s);
	port_enable(&rp, false);
	port_enable(&ep, false);
}

void pci_ide_stream_free(const struct pci_dev *pdev, uint8_t stream_id)
{
	const struct pci_stream *s = stream_of(pdev, stream_id);
	static const struct ide_regs none;
	struct pci_stream *w;
	struct ide_port ep, rp;

	if (!s)
		return;
	ep = port_ep(s);
	rp = port_rp(s);
	port_write(&rp, &none);
	port_write(&ep, &none);
	w = image_write(s);
	*w = (struct pci_stream){ 0 };
}
