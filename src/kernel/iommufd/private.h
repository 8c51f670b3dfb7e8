/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the iommufd room.
 *
 * A context is an open /dev/iommu with one id space. Objects start with struct idobject; what holds
 * what is counted in its `users`, who is using it in a running call in its `waits`.
 *
 * An IOAS is a tree of areas (I/O addresses) over pages (what is mapped, pinned once however often
 * it is mapped). Each HWPT of the IOAS is a page table in hardware format with all its areas in.
 * Pages are pinned only while some HWPT needs them.
 */
#ifndef SWTIO_KERNEL_IOMMUFD_PRIVATE_H
#define SWTIO_KERNEL_IOMMUFD_PRIVATE_H

#include "hardware/iommu.h"
#include "kernel/dmabuf/dmabuf.h"
#include "kernel/iommufd/iommufd.h"
#include "kernel/iommufd/itree.h"
#include "kernel/pci/pci.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/tsm.h"

enum iommufd_kind {
	IOMMUFD_ANY, IOMMUFD_DEVICE, IOMMUFD_HWPT_PAGING, IOMMUFD_IOAS, IOMMUFD_FAULT,
	IOMMUFD_VIOMMU, IOMMUFD_VDEVICE, IOMMUFD_VEVENTQ, IOMMUFD_ACCESS, IOMMUFD_SELFTEST,
	IOMMUFD_HWPT_NESTED, IOMMUFD_HW_QUEUE, IOMMUFD_KIND_MAX
};

enum iommufd_driver_id {
	IOMMUFD_DRIVER_VTD, IOMMUFD_DRIVER_AMD, IOMMUFD_DRIVER_SMMUV3, IOMMUFD_DRIVER_MOCK,
	IOMMUFD_DRIVER_MAX
};

#define IOMMUFD_HOLDS 32u

/* A call that may wait holds the object it works on. When its task dies, the hold is found here. */
struct iommufd_hold {
	uint32_t task;			/* 0: the kernel itself, in a release */
	const struct idobject *object;	/* NULL: free slot */
};

enum iommufd_account { ACCOUNT_USER, ACCOUNT_MM, ACCOUNT_NONE };

struct iommufd_ctx {
	const struct file *file;
	const struct idtable *objects;
	const struct iommufd_ioas *vfio_ioas;	/* of the type 1 ioctls, or NULL */
	const struct iommufd_mmap *mmaps;	/* what drivers let clients map, by offset */
	uint8_t account;			/* enum iommufd_account of new mappings */
	struct iommufd_hold holds[IOMMUFD_HOLDS];
};

/* Without a file, which the caller gives it: what keeps it open. NULL: no memory. */
struct iommufd_ctx *iommufd_ctx_create(void);
void iommufd_ctx_destroy(const struct iommufd_ctx *ctx);

#define IOMMUFD_UIDS 64u

/* What all contexts share. */
struct iommufd_root {
	struct { uint32_t uid; uint64_t pages; } locked[IOMMUFD_UIDS];	/* per user, while not 0 */
	const struct iommufd_group *groups;
};

/* -- I/O address spaces ----------------------------------------------------------------------- */

enum iopt_source { IOPT_USER, IOPT_FILE, IOPT_DMABUF };

struct iopt_extent { uint64_t offset, hpa, len; };	/* offset in the pages */

struct iopt_area {
	uint64_t start, last;		/* IOVA */
	uint64_t offset;		/* of `start` in the pages; of a child's area: in the parent */
	const struct iopt_pages *pages;	/* NULL: of a child, whose parent has them */
	const struct iommufd_ioas *ioas;
	const struct iopt_area *pages_next, *pages_prev;
	uint32_t accesses;		/* that have pages of it pinned */
	uint8_t prot;			/* PT_R, PT_W */
	uint32_t locks;			/* hardware queues that keep it mapped */
};

struct iopt_pages {
	struct iopt_area first;		/* the area they were made for: most have no other */
	uint8_t source;			/* enum iopt_source */
	uint8_t account;		/* enum iommufd_account */
	bool writable;
	bool mmio;			/* IOPT_USER: addresses may be a BAR's mapping */
	bool revoked;			/* the dma-buf's exporter took it back: for good */
	uint32_t task, uid;		/* who pays, and for IOPT_USER whose address it is */
	uint32_t users;			/* areas */
	uint32_t pins;			/* areas that some HWPT maps */
	uint64_t start;			/* user address, or offset in the file; page aligned */
	uint64_t len;
	const struct file *file;	/* referenced; NULL: a real memfd, or no memory at all */
	const struct dmabuf *dmabuf;	/* attached */
	const struct iopt_area *areas;	/* doubly linked by pages_next */
	uint32_t extents, room;		/* while pinned; room of `more` */
	struct iopt_extent one;		/* when there is only one */
	const struct iopt_extent *more;
	uint32_t memfd;			/* of a client: its owner number, 0: none */
	struct klock lock;		/* KLOCK_PAGES: held while a revoke empties tables */
};

/* IOVAs taken by hardware. Equal ranges share one, so that a hundred devices' MSI window is one. */
struct iopt_reserved {
	uint64_t start, last;
	uint32_t refs;
	const struct iopt_reserved *next;	/* by start, then last */
};

struct iommufd_ioas {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	struct itree areas, allowed;
	const struct iopt_reserved *reserved;
	const struct iommufd_hwpt *hwpts;	/* by ioas_next; each holds one of `users` */
	const struct iommufd_access *accesses;	/* likewise */
	/* Nesting in software (merge.c): areas lead to addresses of `parent`, and have no pages. */
	const struct iommufd_ioas *parent, *children, *sibling;
	uint64_t alignment;			/* of IOVAs and lengths; 1 without HWPT */
	uint32_t locks;				/* hardware queues with memory in it */
	bool small_pages;			/* no leaf above PHYS_PAGE, areas may be cut */
	bool type1_tracks;			/* of a type 1 container: its dirty pages may be asked for */
};

/*
 * A page table. A paging one holds its IOAS. A nested one is a guest's first stage, in the guest's
 * memory; it holds the paging one below it, or the vIOMMU that stands on that.
 */
struct iommufd_hwpt {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct iommufd_ioas *ioas;	/* of a nested one: its parent's */
	const struct iommufd_hwpt *ioas_next;	/* paging only */
	const struct iommufd_hwpt *parent;	/* nested only */
	const struct iommufd_viommu *viommu;	/* nested only, or NULL: made on the parent itself */
	const void *stage1;			/* nested only: the driver's */
	const struct iommufd_fault *fault;
	struct pt pt;			/* paging only */
	uint64_t pgsizes;		/* paging only: leaf sizes, as the driver reports them */
	struct iommu_iova_range aperture;	/* paging only; the tables may reach less far */
	uint8_t driver;			/* enum iommufd_driver_id */
	uint16_t did;			/* VT-d's and AMD's domain id; SMMUv3's ASID or VMID */
	bool automatic;			/* made by an attach to the IOAS, goes with the last one */
	bool nest_parent;
	bool pasid;
	bool dirty;			/* made for dirty tracking */
	bool tracking;			/* and it is on */
};

/* Over parent, not finalized, with no stage1 yet: its driver's. NULL: no memory. */
struct iommufd_hwpt *iommufd_nested_new(const struct iommufd_device *idev,
					const struct iommufd_hwpt *parent);
/* VT-d's, from all but parent and domains. 0, -ENOSPC, -ENOMEM. */
int iommufd_vtd_stage1(const struct iommufd_hwpt *nested, const struct iommu_nested *stage1);

/* A piece of what is to be mapped, as MAP, MAP_FILE and COPY make it. */
struct iopt_map {
	const struct iommufd_ioas *ioas;
	uint64_t iova, len;
	uint64_t address;		/* its alignment guides the choice of an IOVA */
	bool fixed;
	bool mmio;			/* a BAR that the client has mapped may be mapped too */
	bool readonly;			/* the pages cannot be mapped as prot says: -EPERM */
	uint8_t prot;
};

const struct iommufd_ioas *iommufd_ioas_create(const struct iommufd_ctx *ctx);
int iopt_choose(struct iopt_map *map);		/* checks map->iova, or chooses it */
int iopt_insert(const struct iopt_map *map, struct iopt_pages *pages, uint64_t offset);
/* map->address is the user's, or the offset in the file. */
int iopt_map_user(const struct iommufd_ctx *ctx, struct iopt_map *map);
struct iopt_file { const struct file *file; uint32_t memfd; };	/* one of ours, or a client's */
int iopt_map_file(const struct iommufd_ctx *ctx, struct iopt_map *map, const struct iopt_file *file,
		  uint64_t start);
/* Whole areas of [first, last], *bytes of them. -ENOENT: the range cuts an area; -EBUSY: one is
 * locked; -EDEADLK: an access does not let go. What came before is gone. [0, UINT64_MAX] is all of
 * them. Commits. */
int iopt_unmap(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last, uint64_t *bytes);
/* by 1: the areas of [first, last], all mapped, cannot be unmapped; by -1: they can again. */
void iopt_lock(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last, int by);
/* An area that spans the IOVA becomes two. -EINVAL, -EOPNOTSUPP, -ENOMEM. */
int iopt_cut(const struct iommufd_ioas *ioas, uint64_t iova);
/* After a change of who uses the IOAS: -EADDRINUSE, areas do not suit. */
int iopt_alignment_update(const struct iommufd_ioas *ioas);
/* -EINVAL: areas are in HWPTs already; -EADDRINUSE: areas that do not suit. */
int iopt_set_small_pages(const struct iommufd_ioas *ioas, bool small);
/* -EADDRINUSE, -ENOMEM. */
int iopt_reserve(const struct iommufd_ioas *ioas, uint64_t start, uint64_t last);
void iopt_unreserve(const struct iommufd_ioas *ioas, uint64_t start, uint64_t last);
/* What is not reserved, one hole after the other: start with all but ioas zero. */
struct iopt_holes { const struct iommufd_ioas *ioas; uint64_t from; bool end; };
bool iopt_hole_next(struct iopt_holes *holes, struct iommu_iova_range *hole);
/* Fills it with what is mapped. */
int iopt_add_hwpt(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt);
void iopt_remove_hwpt(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt);
void iopt_destroy(const struct iommufd_ioas *ioas);

/* -- nesting in software ----------------------------------------------------------------------- */

const struct iommufd_ioas *iopt_child_create(const struct iommufd_ioas *parent);
void iopt_child_leave(const struct iommufd_ioas *child);
/* As iopt_map_user(), to an address of the parent, mapped there or not. */
int iopt_child_map(struct iopt_map *map, uint64_t to);
int iopt_merge_area(const struct iopt_area *area, const struct pt *pt);
/* The parent has mapped, or is about to unmap, [first, last]. */
int iopt_merge_children(const struct iommufd_ioas *parent, uint64_t first, uint64_t last);
void iopt_unmerge_children(const struct iommufd_ioas *parent, uint64_t first, uint64_t last);

/* -- pages ------------------------------------------------------------------------------------ */

/* Made without an area. What is not const is written to, so the caller has it from image_write(). */
struct iopt_pages *iopt_pages_user(const struct iommufd_ctx *ctx, uint64_t start,
				   uint64_t len, bool write, bool mmio);
int iopt_pages_file(const struct iommufd_ctx *ctx, const struct iopt_file *file, uint64_t start,
		    uint64_t len, bool write, struct iopt_pages **pages);
void iopt_pages_link(struct iopt_pages *pages, struct iopt_area *area);
/* An area of theirs goes, and its pin if it has one. The last one takes the pages along. */
void iopt_pages_leave(const struct iopt_area *area, bool pinned);
int iopt_pages_pin(struct iopt_pages *pages);	/* -EFAULT, -ENOMEM, -EINVAL; counts */
void iopt_pages_unpin(struct iopt_pages *pages);
/* Copies between the pages, pinned or not, and data. -EFAULT, -EINVAL, -ENOMEM; what came before the
 * page that is missing is copied. IOPT_WHOLE: nothing then, as Linux does it for another process. */
enum { IOPT_WRITE = 1, IOPT_WHOLE = 2 };
int iopt_pages_rw(const struct iopt_pages *pages, uint64_t offset, void *data, uint64_t len,
		  unsigned int how);
/* Enters an area into a page table; small: with leaves of PHYS_PAGE only. */
int iopt_area_fill(const struct iopt_area *area, const struct pt *pt, bool small);
/* Enters [from, to] of an area that has pages at another place, with other permissions. */
struct iopt_fill { const struct pt *pt; uint64_t iova; uint8_t prot; bool small; };
int iopt_area_fill_part(const struct iopt_area *area, uint64_t from, uint64_t to,
			const struct iopt_fill *fill);
/* Where the byte at `offset` of pinned pages is; *run: as far as the memory is in one run. */
uint64_t iopt_pages_hpa(const struct iopt_pages *pages, uint64_t offset, uint64_t *run);
int iopt_pages_charge(const struct iopt_pages *pages, const struct task *to);	/* CHANGE_PROCESS */
/* How many pages objects have the page at hpa pinned (IOMMU_TEST_OP_MD_CHECK_REFS). */
uint32_t iopt_pins_of(uint64_t hpa);

/* -- devices ---------------------------------------------------------------------------------- */

#define IOMMUFD_GROUP_MOCK 0x10000u	/* from here on: groups of mock devices */

/* Devices that cannot be told apart: one owner, one page table. */
struct iommufd_group {
	uint32_t number;
	uint8_t driver;			/* enum iommufd_driver_id */
	uint32_t attached;		/* of its devices */
	const struct iommufd_ctx *ctx;
	const struct iommufd_hwpt *hwpt;
	const struct iommufd_device *devices;	/* by group_next */
	const struct iommufd_group *next;
};

struct iommufd_pasid {
	uint32_t pasid;
	const struct iommufd_hwpt *hwpt;
	const struct iommufd_pasid *next;
};

struct iommufd_device {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct pci_dev *pdev;	/* NULL: a mock device */
	const struct mock_dev *mock;
	const struct iommufd_group *group;
	const struct iommufd_device *group_next;
	const struct iommufd_pasid *pasids;
	const struct iommufd_vdevice *vdevice;
	bool attached;
	bool leaving;			/* being unbound: no new vDEVICE */
};

/* Binds a device that does not come from VFIO. As iommufd_device_bind(). */
struct iommufd_bind {
	uint8_t driver;			/* enum iommufd_driver_id */
	uint32_t group;
	const struct pci_dev *pdev;
	const struct mock_dev *mock;
};
int iommufd_bind(const struct iommufd_ctx *ctx, const struct iommufd_bind *bind,
		 const struct iommufd_device **idev);
/* NULL: not bound. */
const struct iommufd_device *iommufd_device_of(const struct pci_dev *pdev);

enum iommufd_how { IOMMUFD_ATTACH, IOMMUFD_REPLACE };
/* As iommufd_device_attach(), for who knows which of the two it wants. -EBUSY: attached already. */
int iommufd_attach(const struct iommufd_device *idev, uint32_t pasid, enum iommufd_how how,
		   uint32_t *pt_id);
/* What requests with the PASID go through, or NULL. */
const struct iommufd_hwpt *iommufd_attached_hwpt(const struct iommufd_device *idev, uint32_t pasid);

/* -- virtual IOMMUs --------------------------------------------------------------------------- */

struct iommufd_viommu {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct iommufd_hwpt *hwpt;
	const struct file *kvm;		/* of a confidential VM's, referenced: the VM outlives it */
	const void *slice;		/* the driver's part; NULL: it has none */
	uint8_t driver;			/* enum iommufd_driver_id */
	uint32_t type;
	const struct iommufd_vdevice *vdevices;	/* by viommu_next */
	const struct iommufd_veventq *veventqs;	/* by viommu_next */
};

/* The device its VM knows by that id, or NULL. */
const struct iommufd_device *iommufd_viommu_device(const struct iommufd_viommu *viommu,
						   uint64_t virt_id);
/* The vDEVICE of a device in this vIOMMU, or NULL. */
const struct iommufd_vdevice *iommufd_viommu_vdevice(const struct iommufd_viommu *viommu,
						     const struct iommufd_device *idev);

/* What the TSM was asked last. Anything but NONE may have left something to unbind. */
enum iommufd_tsm {
	IOMMUFD_TSM_NONE, IOMMUFD_TSM_BINDING, IOMMUFD_TSM_BOUND, IOMMUFD_TSM_UNBINDING,
	IOMMUFD_TSM_KEPT	/* unbound; the next bind goes on from what was left */
};

struct iommufd_vdevice {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct iommufd_viommu *viommu;
	const struct iommufd_device *idev;	/* NULL once unlinked */
	const struct iommufd_vdevice *viommu_next;
	uint64_t virt_id;
	uint8_t tsm;			/* enum iommufd_tsm */
	bool trusted_dma;		/* T=1 requests go through tables of the TSM */
	bool destroying;		/* its id is gone */
};

void iommufd_vdevice_destroy(const struct iommufd_vdevice *vdev);	/* its id is gone already */
void iommufd_vdevice_free(const struct iommufd_vdevice *vdev);	/* the last hold is gone */
void iommufd_vdevice_unbind(const struct iommufd_vdevice *vdev);

/* A queue in the guest's memory that hardware reads: pinned, and its IOVAs cannot be unmapped. */
struct iommufd_hw_queue {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct iommufd_viommu *viommu;
	const struct iommufd_hw_queue *below;	/* holds one of its `users`; or NULL */
	uint32_t type, index;
	uint64_t iova, len;
	const struct iommufd_access *access;	/* what pins its memory; takes an id of its own */
};

/* -- queues with a descriptor of their own ----------------------------------------------------- */

struct iommufd_request {
	uint32_t flags;			/* IOMMU_PGFAULT_FLAGS_ */
	uint32_t pasid;			/* when the flags say so */
	uint32_t grpid, perm;
	uint64_t addr;
};

/* A group of page requests: read as a whole and answered by one response. */
struct iommufd_pgfault {
	struct idobject obj;		/* its id is the cookie, once it was read */
	const struct iommufd_pgfault *next;
	const struct iommufd_device *idev;
	uint32_t attached;		/* PASID whose attachment it came through, or TLP_NO_PASID */
	uint32_t serial;		/* a ring's */
	uint32_t count;
	struct iommufd_request requests[];
};

struct iommufd_fault {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct file *file;	/* holds one of `users` until it is closed; NULL: ioasid's */
	const struct ioasid_ctx *ring;	/* who takes what is queued, instead of readers of a file */
	const struct iommufd_pgfault *first, *last;	/* to be read */
	const struct idtable *read;	/* to be answered */
};

/* 0, or -ENODEV: no queue is there for it, and the device is told so; -ENOMEM. */
int iommufd_page_request(const struct iommufd_device *idev, const struct iommufd_request *requests,
			 uint32_t count);
/* For a ring: the first group, which has its cookie now; NULL: none, or no memory. */
const struct iommufd_pgfault *iommufd_fault_take(const struct iommufd_fault *fault);
/* Code of enum iommufd_page_response_code. -ENOENT: no group that was taken has this cookie. */
int iommufd_fault_answer(const struct iommufd_fault *fault, uint32_t cookie, uint32_t code);
/* Ends what came through an attachment that is no more. */
void iommufd_fault_forget(const struct iommufd_hwpt *hwpt, const struct iommufd_group *group,
			  uint32_t attached);

struct iommufd_vevent {
	const struct iommufd_vevent *next;
	uint32_t sequence, len;
	uint8_t data[];
};

struct iommufd_veventq {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct file *file;
	const struct iommufd_viommu *viommu;
	const struct iommufd_veventq *viommu_next;
	uint32_t type, depth;
	const struct iommufd_vevent *first, *last;
	uint32_t count;			/* of them */
	uint32_t sequence;		/* of the next event, kept or lost */
	bool lost;			/* a header that says so stands behind the last event */
	uint32_t lost_sequence;
};

/* For a driver: 0; -EOPNOTSUPP no queue of this type; -ENOMEM. A full queue only notes the loss. */
int iommufd_viommu_report(const struct iommufd_viommu *viommu, uint32_t type, const void *data,
			  uint32_t len);

/* The file of a new queue, installed as a descriptor and holding the context's file: fd or -errno. */
int iommufd_queue_file(const struct iommufd_ctx *ctx, enum file_type type, const void *queue,
		       const char *name, const struct file **file);

/* -- memory of drivers that clients map -------------------------------------------------------- */

/* Each mapping holds one of the owner's `users`. */
struct iommufd_mmap {
	const struct iommufd_mmap *next;
	const struct idobject *owner;
	uint64_t offset, len;		/* as mmap() has them */
	const void *memory;		/* bulk memory, the owner's */
	uint32_t mappings;		/* of clients, right now */
};

const struct iommufd_mmap *iommufd_mmap_new(const struct iommufd_ctx *ctx,
					    const struct idobject *owner, const void *memory,
					    uint64_t len);	/* NULL: no memory */
void iommufd_mmap_free(const struct iommufd_ctx *ctx, const struct iommufd_mmap *map);
int iommufd_mmap(const struct file *file, struct mmap_request *request);
void iommufd_unmapped(const struct file *file, const struct vma *vma);
/* The file is gone, and so is whoever could have had a mapping and died without a word. */
void iommufd_unmap_all(const struct iommufd_ctx *ctx);

/* -- calls ------------------------------------------------------------------------------------- */

struct iommufd_cmd {
	const struct iommufd_ctx *ctx;
	uint64_t user;			/* the client's structure */
	uint32_t user_size;
	void *args;			/* the copy, as long as the kernel's structure */
};

/* Writes the structure back, no more of it than the client has: 0 or -EFAULT. */
int iommufd_respond(const struct iommufd_cmd *cmd, size_t len);
void iommufd_users_add(const struct idobject *object, int n);
const struct iommufd_root *iommufd_root(void);
/* NULL (-ENOENT): no such id, or of another kind. */
const struct idobject *iommufd_find(const struct iommufd_ctx *ctx, uint32_t id,
				    enum iommufd_kind kind);
/* A new object with its id reserved: users and waits 1, not to be found before idtable_finalize. */
void *iommufd_object_new(const struct iommufd_ctx *ctx, size_t size, enum iommufd_kind kind);
/* Takes its id, then the object. */
void iommufd_destroy_object(const struct iommufd_ctx *ctx, const struct idobject *object);
int iommufd_hold(const struct iommufd_ctx *ctx, const struct idobject *object);	/* 0 or -EAGAIN */
void iommufd_drop(const struct iommufd_ctx *ctx, const struct idobject *object);
void iommufd_drop_all(const struct iommufd_ctx *ctx);

int iommufd_ioctl_destroy(struct iommufd_cmd *cmd);
int iommufd_ioctl_ioas_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_allow_iovas(struct iommufd_cmd *cmd);
int iommufd_ioctl_copy(struct iommufd_cmd *cmd);
int iommufd_ioctl_iova_ranges(struct iommufd_cmd *cmd);
int iommufd_ioctl_map(struct iommufd_cmd *cmd);
int iommufd_ioctl_map_file(struct iommufd_cmd *cmd);
int iommufd_ioctl_unmap(struct iommufd_cmd *cmd);
int iommufd_ioctl_option(struct iommufd_cmd *cmd);
int iommufd_ioctl_change_process(struct iommufd_cmd *cmd);
int iommufd_ioctl_vfio_ioas(struct iommufd_cmd *cmd);
int iommufd_ioctl_hwpt_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_hw_info(struct iommufd_cmd *cmd);
int iommufd_ioctl_set_dirty(struct iommufd_cmd *cmd);
int iommufd_ioctl_get_dirty(struct iommufd_cmd *cmd);
int iommufd_ioctl_invalidate(struct iommufd_cmd *cmd);
int iommufd_ioctl_fault_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_viommu_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_vdevice_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_veventq_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_hw_queue_alloc(struct iommufd_cmd *cmd);
int iommufd_ioctl_tsm_op(struct iommufd_cmd *cmd);
int iommufd_ioctl_tsm_req(struct iommufd_cmd *cmd);
int iommufd_ioctl_test(struct iommufd_cmd *cmd);
long iommufd_vfio_ioctl(const struct iommufd_ctx *ctx, unsigned int cmd, uint64_t arg);

/* Empty, not among those of the IOAS yet, its id not finalized. `data`: of the driver. */
struct iommufd_user_data;
int iommufd_hwpt_new(const struct iommufd_device *idev, const struct iommufd_ioas *ioas,
		     uint32_t flags, const struct iommufd_user_data *data,
		     const struct iommufd_hwpt **hwpt);
/* The same, filled with the areas of the IOAS. */
int iommufd_hwpt_create(const struct iommufd_device *idev, const struct iommufd_ioas *ioas,
			uint32_t flags, const struct iommufd_user_data *data,
			const struct iommufd_hwpt **hwpt);
struct iommu_iova_range iommufd_hwpt_aperture(const struct iommufd_hwpt *hwpt);
void iommufd_hwpt_flush(const struct iommufd_hwpt *hwpt, uint64_t first, uint64_t last);
/* On `below`, a nesting parent or a vIOMMU; its id is not finalized. */
int iommufd_nested_create(const struct iommufd_device *idev, const struct idobject *below,
			  uint32_t flags, const struct iommufd_user_data *data,
			  const struct iommufd_hwpt **hwpt);
void iommufd_nested_destroy(const struct idobject *object);
void iommufd_ioas_destroy(const struct idobject *object);
void iommufd_hwpt_destroy(const struct idobject *object);
void iommufd_fault_destroy(const struct idobject *object);
void iommufd_access_destroy(const struct idobject *object);
void iommufd_selftest_destroy(const struct idobject *object);
void iommufd_viommu_destroy(const struct idobject *object);
void iommufd_hw_queue_destroy(const struct idobject *object);
void iommufd_veventq_destroy(const struct idobject *object);

#endif
