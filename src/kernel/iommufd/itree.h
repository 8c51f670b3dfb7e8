/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disjoint intervals of a 64-bit space, each with an item, in a B+tree in the image. Inner nodes
 * know the largest free run below them, so that finding the lowest free place of a given length is
 * logarithmic too. Both ends of an interval are inclusive.
 */
#ifndef SWTIO_KERNEL_IOMMUFD_ITREE_H
#define SWTIO_KERNEL_IOMMUFD_ITREE_H

#include "image/image.h"

struct itree_node;

struct itree {			/* embed; zero is empty */
	const struct itree_node *root;
	uint64_t count;
};

/* 0 or -ENOMEM (the running call then fails and is undone). Must not overlap what is there. */
int itree_insert(const struct itree *tree, uint64_t start, uint64_t last, const void *item);
void itree_remove(const struct itree *tree, uint64_t start);	/* the interval that begins there */
/* All that begin in [first, last], in order; fn is told of each and may free the item. */
void itree_remove_range(const struct itree *tree, uint64_t first, uint64_t last,
			void (*fn)(const void *item, void *arg), void *arg);
void itree_clear(const struct itree *tree);			/* frees the nodes, not the items */

struct itree_span {
	uint64_t start, last;
	const void *item;
};

/* The lowest interval that touches [first, last]; false: none. */
bool itree_find(const struct itree *tree, uint64_t first, uint64_t last, struct itree_span *span);

/* Of those that end at or above `first`, the one that n others come before, or an earlier one that
 * ends at or above `last` or is the last there is; false: none. */
bool itree_find_nth(const struct itree *tree, uint64_t first, uint64_t last, unsigned int n,
		    struct itree_span *span);

/* The highest interval that begins at or below `last`; false: none. */
bool itree_find_below(const struct itree *tree, uint64_t last, struct itree_span *span);

/* The lowest address `at` with [at, at + len - 1] free and inside [first, last]; it is a multiple
 * of align (a power of two) plus offset. 0 or -ENOSPC. */
int itree_fit(const struct itree *tree, uint64_t first, uint64_t last, uint64_t len, uint64_t align,
	      uint64_t offset, uint64_t *at);

#endif
