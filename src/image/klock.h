/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modelled locks: the locks Linux holds while it sleeps. The one real lock is dropped at a wait
 * point, and these say what is still held there. An order checker (as lockdep: by class) and a
 * cycle detector make a deadlock a finding rather than a hang.
 *
 * The order, outermost first, is that of the enum. Taking a lower class while a higher one is held
 * is a finding; so is a cycle of waiters. Findings are counted and kept as text in the image.
 */
#ifndef SWTIO_IMAGE_KLOCK_H
#define SWTIO_IMAGE_KLOCK_H

#include "image/image.h"

enum klock_class {
	KLOCK_TSM_RWSEM,	/* pci_tsm_rwsem */
	KLOCK_DSM,		/* pf0's lock: one TSM operation a DSM */
	KLOCK_IGROUP,		/* iommufd group */
	KLOCK_IOMMUFD,		/* object-destroying ioctls of one context */
	KLOCK_KVM_SLOTS,	/* kvm->slots_lock */
	KLOCK_MEMORY,		/* vfio: vdev->memory_lock */
	KLOCK_DMA_RESV,		/* dma-buf reservation */
	KLOCK_PAGES,		/* iopt_pages mutex */
	KLOCK_MMU,		/* kvm->mmu_lock */
	KLOCK_DOE,		/* one task a mailbox */
	KLOCK_CLASS_MAX
};

enum klock_mode { KLOCK_READ, KLOCK_WRITE };

struct klock {			/* embed in the object it protects; zero is unlocked */
	uint16_t class;		/* enum klock_class */
	uint16_t readers;
	uint32_t writer;	/* task id or 0 */
	uint32_t serial;	/* set at first use, names the lock in findings */
};

/* The call's identity for lock ownership: the task that entered the kernel. */
void klock_set_task(uint32_t task);
uint32_t klock_task(void);

/*
 * 0; -EDEADLK when waiting would never end (recorded); -ENOMEM; -EAGAIN when the holder is a call
 * below this one on the same stack, which cannot go on before this one returns: give up, and be run
 * again. May pass a wait point, thus a commit.
 *
 * What a call holds when it ends is released for it: silently when it failed, since a rollback may
 * have undone its own release, and as a finding when it succeeded.
 */
int klock_acquire(const struct klock *lock, enum klock_class class, enum klock_mode mode);
/* 0, -EBUSY, -ENOMEM. */
int klock_try(const struct klock *lock, enum klock_class class, enum klock_mode mode);
void klock_release(const struct klock *lock, enum klock_mode mode);
bool klock_held(const struct klock *lock);		/* by this task, any mode */
void klock_release_all(uint32_t task);			/* a killed task */
uint32_t klock_findings(char *text, size_t len);	/* how many, and the last one's sentence */

#endif
