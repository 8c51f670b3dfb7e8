/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/ioasid, version 1: the proposal of 2021 with the naming its reviewer asked for, an extension
 * that Linux does not have. A client opens it once, binds devices to it and allocates I/O address
 * spaces, each an IOASID: a small number of this descriptor.
 *
 * What allocates a space is called IOASID_ALLOC_IOASID..., and is told its kind and format at once.
 * The proposal's own names stand beside it, with the calls, the order and the fields of its
 * pseudo-code: ALLOC, CREATE_NESTING, and BIND_..., which says later what a space is. Until then a
 * space made by CREATE_NESTING maps nothing, so that DMA through it faults; the first DMA_MAP or
 * BIND_ decides.
 *
 * Structures are as long as the number of their call says, and grow by new numbers. Fields without
 * a meaning in a call, and unknown flags, must be 0 (EINVAL). Errors that every call knows: EFAULT
 * an unreadable structure, ENOTTY no such call or extensions are off, ENOMEM; ENOENT no such
 * IOASID.
 */
#ifndef SWTIO_UAPI_IOASID_H
#define SWTIO_UAPI_IOASID_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOASID_API_VERSION 1
#define IOASID_TYPE 'j'
#define IOASID_INVALID 0		/* no space has this number */

/* -- what there is ---------------------------------------------------------------------------- */

/* The argument is an enum ioasid_extension; answers 0, or what it has of it. */
#define IOASID_CHECK_EXTENSION _IO(IOASID_TYPE, 0)

enum ioasid_extension {
	IOASID_EXT_API,			/* IOASID_API_VERSION */
	IOASID_EXT_DMA_MAP,		/* 1 */
	IOASID_EXT_NESTING_SOFTWARE,	/* 1: a child may be mapped by DMA_MAP */
	IOASID_EXT_NESTING_HARDWARE,	/* a bit for each enum ioasid_format of page tables */
	IOASID_EXT_PASID_TABLE,		/* a bit for each enum ioasid_format of PASID tables */
	IOASID_EXT_USER_PASID,		/* bits of a PASID */
	IOASID_EXT_FAULT,		/* 1 */
	IOASID_EXT_DMABUF,		/* 1: IOASID_DMA_MAP_DMABUF */
};

enum ioasid_kind {
	IOASID_KIND_DMA,		/* mapped by DMA_MAP to memory of the client */
	IOASID_KIND_NESTED,		/* a child: mapped to its parent, or not yet decided */
	IOASID_KIND_PGTABLE,		/* a child: the guest's page table */
	IOASID_KIND_PASID_TABLE,	/* a child: the guest's table of page tables, all PASIDs */
};

enum ioasid_format {
	IOASID_FORMAT_VTD = 1,		/* first stage; scalable-mode PASID directory */
	IOASID_FORMAT_SMMUV3,		/* stage 1, 4 KiB granule; context descriptors */
	IOASID_FORMAT_AMD,		/* guest page table; GCR3 table */
};

struct ioasid_info {
	__u32 ioasid;			/* in; IOASID_INVALID: of the descriptor alone */
	__u32 kind;			/* enum ioasid_kind */
	__u32 parent;			/* or IOASID_INVALID */
	__u32 format;			/* of a table, or 0 */
	__u64 page_sizes;		/* bitmap */
	__u64 iova_last;		/* the highest I/O address */
	__u64 locked_pages;		/* of this process, for all its descriptors */
	__u32 children;
	__u32 attached;			/* devices, and PASIDs of devices */
};
#define IOASID_GET_INFO _IOWR(IOASID_TYPE, 1, struct ioasid_info)

/* -- spaces: these answer the new IOASID ------------------------------------------------------ */

/* A space of kind DMA. The argument is not looked at. */
#define IOASID_ALLOC_IOASID _IO(IOASID_TYPE, 2)
#define IOASID_ALLOC IOASID_ALLOC_IOASID

/* A child of the space in the argument. EINVAL: that is a child itself. */
#define IOASID_ALLOC_IOASID_NESTED _IO(IOASID_TYPE, 3)
#define IOASID_CREATE_NESTING IOASID_ALLOC_IOASID_NESTED

/* A child and its table in one. For ALLOC_ `ioasid` is the parent, for BIND_ the child. EINVAL: a
 * format this host has not (IOASID_CHECK_EXTENSION), an unaligned or impossible `addr`, levels, or
 * widths; for ALLOC_ not a space of kind DMA, for BIND_ not a child (not nested); for BIND_ EBUSY:
 * it has a table already, or mappings. */
struct ioasid_table {
	__u32 ioasid;
	__u32 format;			/* enum ioasid_format */
	__u64 addr;			/* GPA of the root table */
	__u32 flags;			/* IOASID_TABLE_* */
	__u32 addr_width;		/* of page tables: 39 (SMMUv3), 48, 57 (VT-d, AMD); 0: 48 */
	__u32 asid;			/* SMMUv3's page table */
	__u32 pasid_bits;		/* of a PASID table */
	__u32 pasid_levels;		/* of a PASID table: VT-d 2, SMMUv3 1 or 2, AMD 1 to 3 */
	__u32 pasid_split;		/* SMMUv3 of 2 levels: 6 (4 KiB) or 10 (64 KiB leaves) */
};
/* SMMUv3's page table: hardware updates accessed, and dirty too. x86 formats always do. */
#define IOASID_TABLE_ACCESSED (1 << 0)
#define IOASID_TABLE_DIRTY (1 << 1)
/* PASID tables: requests without PASID have no first stage, or fault; without either: entry 0. */
#define IOASID_TABLE_BYPASS (1 << 2)
#define IOASID_TABLE_NO_PASID_FAULTS (1 << 3)
#define IOASID_ALLOC_IOASID_PGTABLE _IOW(IOASID_TYPE, 4, struct ioasid_table)
#define IOASID_ALLOC_IOASID_PASID_TABLE _IOW(IOASID_TYPE, 5, struct ioasid_table)
#define IOASID_BIND_PGTABLE _IOW(IOASID_TYPE, 6, struct ioasid_table)
#define IOASID_BIND_PASID_TABLE _IOW(IOASID_TYPE, 7, struct ioasid_table)

/* The IOASID is the argument. EBUSY: it has children, or a device is attached. */
#define IOASID_FREE _IO(IOASID_TYPE, 8)

/* -- memory ----------------------------------------------------------------------------------- */

/* Pins and counts once what several spaces will map: a DMA_MAP inside of it adds nothing. EINVAL:
 * unaligned, empty; EEXIST: overlaps another one; for UNREGISTER ENOENT: not exactly one that was
 * registered, EBUSY: mapped somewhere. */
struct ioasid_memory {
	__u64 vaddr;
	__u64 size;
};
#define IOASID_REGISTER_MEMORY _IOW(IOASID_TYPE, 9, struct ioasid_memory)
#define IOASID_UNREGISTER_MEMORY _IOW(IOASID_TYPE, 10, struct ioasid_memory)

/* vaddr: an address of the client, or, in a child, of the parent (mapped there or not). EINVAL:
 * unaligned, empty, or a space with a table; EEXIST: overlaps a mapping; EOVERFLOW; EFAULT. Of a
 * dma-buf also EBADF, EBADFD: not one; EINVAL: outside of it; ENODEV: its provider took it back. */
struct ioasid_dma_map {
	__u32 ioasid;
	__u32 flags;			/* IOASID_DMA_*; no permission at all means both */
	__u64 iova;
	__u64 vaddr;			/* with DMABUF: the offset in the buffer */
	__u64 size;
	__s32 dmabuf;			/* with DMABUF: its descriptor */
	__u32 reserved;
};
#define IOASID_DMA_READ (1 << 0)
#define IOASID_DMA_WRITE (1 << 1)
#define IOASID_DMA_MAP_DMABUF (1 << 2)
#define IOASID_DMA_MAP _IOW(IOASID_TYPE, 11, struct ioasid_dma_map)

/* Whole mappings only. ENOENT: nothing there, or the range cuts one; what lies before the cut is
 * gone. Answers 0 and the bytes in size. */
struct ioasid_dma_unmap {
	__u32 ioasid;
	__u32 flags;			/* 0 */
	__u64 iova;
	__u64 size;
};
#define IOASID_DMA_UNMAP _IOWR(IOASID_TYPE, 12, struct ioasid_dma_unmap)

/* -- what the guest changed ------------------------------------------------------------------- */

/* EINVAL: the space has no table, or the range is empty or wraps. */
struct ioasid_invalidate {
	__u32 ioasid;
	__u32 flags;			/* IOASID_INV_* */
	__u64 addr;
	__u64 size;			/* 0: all addresses */
	__u32 pasid;			/* of a PASID table, with IOASID_INV_PASID */
	__u32 reserved;
};
#define IOASID_INV_LEAF (1 << 0)	/* leaves only: no table has moved */
#define IOASID_INV_PASID (1 << 1)	/* this PASID (SMMUv3: ASID) alone */
#define IOASID_INV_PASID_TABLE (1 << 2)	/* entries of the PASID table, not translations */
#define IOASID_INVALIDATE_CACHE _IOW(IOASID_TYPE, 13, struct ioasid_invalidate)

/* -- faults ----------------------------------------------------------------------------------- */

/* Page requests go into a ring, mapped from the descriptor at offset 0, and signal an eventfd. One
 * ring a descriptor; EBUSY: it has one. EINVAL: entries is no power of two up to 4096. Without a
 * ring requests are answered "invalid" at once. */
struct ioasid_fault_setup {
	__u32 entries;
	__s32 eventfd;			/* or -1 */
};
#define IOASID_FAULT_SETUP _IOW(IOASID_TYPE, 14, struct ioasid_fault_setup)

struct ioasid_fault {
	__u32 ioasid;
	__u32 label;			/* of the device, from VFIO_BIND_IOASID_FD */
	__u32 pasid;			/* with IOASID_FAULT_PASID: the user's */
	__u32 flags;
	__u64 addr;
	__u32 perm;			/* IOASID_DMA_READ, IOASID_DMA_WRITE: what is wanted */
	__u32 group;			/* requests that are answered together have one */
	__u64 cookie;			/* of the answer */
};
#define IOASID_FAULT_PASID (1 << 0)
#define IOASID_FAULT_LAST (1 << 1)	/* of its group */

/* The client moves `tail` after it has read entries[tail % entries]. While it does not, requests
 * wait outside, `overflows` goes up for each that found no place, and none is lost: what waits
 * comes in with the next request or answer. */
struct ioasid_fault_ring {
	__u32 entries;
	__u32 head;			/* the kernel's */
	__u32 tail;			/* the client's */
	__u32 overflows;
	struct ioasid_fault fault[];
};

/* One answer a group of requests, by its cookie. EINVAL: a bad code, or the cookie is another
 * space's; ENOENT: no such cookie: never given, or answered already. With ALL every pending group
 * of the space that the ring has shown is answered, and the call says how many. */
struct ioasid_fault_response {
	__u32 ioasid;
	__u32 flags;
	__u64 cookie;			/* 0 with ALL */
	__u32 code;			/* IOASID_RESPONSE_* */
	__u32 reserved;
};
#define IOASID_RESPOND_ALL (1 << 0)
#define IOASID_RESPONSE_SUCCESS 0
#define IOASID_RESPONSE_INVALID 1
#define IOASID_FAULT_RESPOND _IOW(IOASID_TYPE, 15, struct ioasid_fault_response)

/* -- VFIO: on a device's descriptor ----------------------------------------------------------- */

#define IOASID_VFIO_TYPE ';'
#define IOASID_VFIO_BASE 100

/* The argument is the descriptor of /dev/ioasid. Answers the device's label (> 0), which stands for
 * it in faults: for the requester id of a physical device, for a requester id and PASID of a
 * mediated one. A group's descriptor takes this one by VFIO_GROUP_SET_CONTAINER, and its devices
 * are bound when they are opened; asking again answers the label. EBADF, EBADFD not /dev/ioasid;
 * EINVAL: bound already; EBUSY, EPERM: somebody else has it. */
#define VFIO_BIND_IOASID_FD _IO(IOASID_VFIO_TYPE, IOASID_VFIO_BASE + 100)

/* Attaching what is attached already replaces, with nothing in between. EINVAL: the device is not
 * bound, flags, or a PASID of more than 20 bits; ENOENT; ENODEV: the device cannot use the
 * space. */
struct vfio_ioasid_attach {
	__u32 ioasid;
	__u32 flag;			/* IOASID_ATTACH_USER_PASID */
	__u32 user_pasid;
	__u32 reserved;
};
#define IOASID_ATTACH_USER_PASID (1 << 0)
#define VFIO_ATTACH_IOASID _IOW(IOASID_VFIO_TYPE, IOASID_VFIO_BASE + 101, struct vfio_ioasid_attach)
/* From then on the device, or the PASID, reaches nothing. ENOENT: it is not attached there. */
#define VFIO_DETACH_IOASID _IOW(IOASID_VFIO_TYPE, IOASID_VFIO_BASE + 102, struct vfio_ioasid_attach)

/* -- KVM: on a VM's descriptor ---------------------------------------------------------------- */

/* The CPU's PASID translation: a guest's PASID to the host's, of a mediated device attached with it
 * to the space. EBADF, EBADFD; ENOENT: no such attachment, as always of a physical device; EINVAL:
 * more than 20 bits; EEXIST, for UNMAP ENOENT: (not) mapped. */
struct kvm_ioasid_pasid {
	__s32 ioasid_fd;
	__u32 ioasid;
	__u32 guest_pasid;
	__u32 reserved;
};
#define KVM_MAP_PASID _IOW(0xAE, 0xf8, struct kvm_ioasid_pasid)
#define KVM_UNMAP_PASID _IOW(0xAE, 0xf9, struct kvm_ioasid_pasid)

/* Stands for the guest's ENQCMD of a copy to the portal of a mediated device. Answers the engine's
 * status. ENOENT: the PASID has no translation; EINVAL: not a mediated device. */
struct kvm_enqcmd {
	__s32 device_fd;
	__u32 guest_pasid;
	__u64 src;
	__u64 dst;
	__u32 len;
	__u32 reserved;
};
#define KVM_ENQCMD _IOW(0xAE, 0xfa, struct kvm_enqcmd)

#endif
