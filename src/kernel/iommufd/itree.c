/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An entry of an inner node sums up its child: lowest start, highest last, largest run between two
 * of its intervals. Nodes that get small merge with a neighbour when both fit into one; that keeps
 * the height logarithmic without moving entries around on every removal.
 */
#include <errno.h>
#include <string.h>

#include "kernel/iommufd/itree.h"

#define FANOUT 16u
#define SMALL 4u
#define HEIGHT 24u		/* SMALL^24 intervals do not fit into any image */

struct entry {
	uint64_t start, last;
	uint64_t gap;		/* 0 in a leaf */
	const void *down;	/* the child, or in a leaf the item */
};

struct itree_node {
	uint32_t count;
	uint32_t leaf;
	struct entry e[FANOUT];
};

struct path {
	unsigned int depth;	/* nodes on it; the last one is the leaf */
	const struct itree_node *node[HEIGHT];
	unsigned int at[HEIGHT];
};

static const struct itree_node *child(const struct itree_node *node, unsigned int at)
{
	return node->e[at].down;
}

static uint64_t run_between(const struct entry *low, const struct entry *high)
{
	return high->start - low->last - 1;
}

/* The entry `key` belongs to: the last one that starts at or below it, or the first. */
static unsigned int slot_of(const struct itree_node *node, uint64_t key)
{
	unsigned int at = 0;

	while (at + 1 < node->count && node->e[at + 1].start <= key)
		at++;
	return at;
}

static void descend(const struct itree *tree, uint64_t key, struct path *path)
{
	const struct itree_node *node = tree->root;

	path->depth = 0;
	for (;;) {
		unsigned int at = slot_of(node, key);

		path->node[path->depth] = node;
		path->at[path->depth++] = at;
		if (node->leaf)
			return;
		node = child(node, at);
	}
}

static void sum_up(const struct itree_node *node, struct entry *sum)
{
	sum->start = node->e[0].start;
	sum->last = node->e[node->count - 1].last;
	sum->gap = node->e[0].gap;
	sum->down = node;
	for (unsigned int i = 1; i < node->count; i++) {
		uint64_t run = run_between(&node->e[i - 1], &node->e[i]);

		if (run > sum->gap)
			sum->gap = run;
		if (node->e[i].gap > sum->gap)
			sum->gap = node->e[i].gap;
	}
}

/* Brings the sums above level `below` up to date; stops where nothing changed. */
static void refresh(const struct path *path, unsigned int below)
{
	while (below-- > 0) {
		const struct entry *old = &path->node[below]->e[path->at[below]];
		struct entry *entry, sum;

		sum_up(path->node[below + 1], &sum);
		if (!memcmp(old, &sum, sizeof(sum)))
			return;
		entry = image_write(old);
		*entry = sum;
	}
}

static void node_insert(const struct itree_node *node, unsigned int at, const struct entry *entry)
{
	struct entry *e = image_log(&node->e[at], (node->count - at + 1) * sizeof(*e));
	uint32_t *count = image_write(&node->count);

	memmove(e + 1, e, (*count - at) * sizeof(*e));
	*e = *entry;
	++*count;
}

static void node_delete(const struct itree_node *node, unsigned int at)
{
	struct entry *e = image_log(&node->e[at], (node->count - at) * sizeof(*e));
	uint32_t *count = image_write(&node->count);

	memmove(e, e + 1, (*count - at - 1) * sizeof(*e));
	--*count;
}

static struct itree_node *node_new(bool leaf)
{
	struct itree_node *node = image_alloc(sizeof(*node), IMAGE_TYPE_IOPT_TREE);

	if (node)
		node->leaf = leaf;
	return node;
}

/* Puts an entry at `at` of a full node: the upper half moves to a new right neighbour, or, at the
 * very end, the entry alone does, since IOVAs are mostly handed out upwards. */
static int node_split(const struct itree_node *node, unsigned int at, const struct entry *entry,
		      const struct itree_node **right)
{
	unsigned int keep = at == FANOUT ? FANOUT : FANOUT / 2;
	struct itree_node *new_node = node_new(node->leaf);
	uint32_t *count;

	if (!new_node)
		return -ENOMEM;
	memcpy(new_node->e, &node->e[keep], (FANOUT - keep) * sizeof(*entry));
	new_node->count = FANOUT - keep;
	count = image_write(&node->count);
	*count = keep;
	if (at >= keep && keep == FANOUT / 2 && at != keep)
		node_insert(new_node, at - keep, entry);
	else if (keep == FANOUT)
		node_insert(new_node, 0, entry);
	else
		node_insert(node, at, entry);
	*right = new_node;
	return 0;
}

static int root_grow(const struct itree *tree, const struct itree_node *left,
		     const struct itree_node *right)
{
	struct itree_node *root = node_new(false);
	struct itree *w;

	if (!root)
		return -ENOMEM;
	sum_up(left, &root->e[0]);
	sum_up(right, &root->e[1]);
	root->count = 2;
	w = image_write(tree);
	w->root = root;
	return 0;
}

static int tree_insert(const struct itree *tree, const struct entry *first)
{
	const struct itree_node *right;
	struct entry entry = *first;
	unsigned int level, at;
	struct path path;
	int rc;

	descend(tree, entry.start, &path);
	level = path.depth - 1;
	at = path.at[level] + (path.node[level]->e[path.at[level]].start < entry.start);
	for (;;) {
		const struct itree_node *node = path.node[level];

		if (node->count < FANOUT) {
			node_insert(node, at, &entry);
			refresh(&path, level);
			return 0;
		}
		rc = node_split(node, at, &entry, &right);
		if (rc)
			return rc;
		if (!level)
			return root_grow(tree, node, right);
		sum_up(right, &entry);
		level--;
		sum_up(node, image_write(&path.node[level]->e[path.at[level]]));
		at = path.at[level] + 1;
	}
}

int itree_insert(const struct itree *tree, uint64_t start, uint64_t last, const void *item)
{
	struct entry entry = { .start = start, .last = last, .down = item };
	struct itree *w;
	int rc;

	if (tree->root) {
		rc = tree_insert(tree, &entry);
		if (rc)
			return rc;
		w = image_write(tree);
	} else {
		struct itree_node *root = node_new(true);

		if (!root)
			return -ENOMEM;
		root->e[0] = entry;
		root->count = 1;
		w = image_write(tree);
		w->root = root;
	}
	w->count++;
	return 0;
}

/* Merges the child at path level `level` with a neighbour when both fit into one node. */
static void merge(const struct path *path, unsigned int level)
{
	const struct itree_node *parent = path->node[level - 1];
	unsigned int at = path->at[level - 1];
	const struct itree_node *left, *right;
	struct entry *e;
	uint32_t *count;

	if (at + 1 == parent->count || (at && child(parent, at + 1)->count > FANOUT - SMALL))
		at--;
	left = child(parent, at);
	right = child(parent, at + 1);
	if (left->count + right->count > FANOUT)
		return;
	e = image_log(&left->e[left->count], right->count * sizeof(*e));
	memcpy(e, right->e, right->count * sizeof(*e));
	count = image_write(&left->count);
	*count += right->count;
	image_free(right);
	node_delete(parent, at + 1);
	sum_up(left, image_write(&parent->e[at]));
}

static void root_shrink(const struct itree *tree)
{
	while (tree->root && !tree->root->leaf && tree->root->count == 1) {
		const struct itree_node *old = tree->root;
		struct itree *w = image_write(tree);

		w->root = child(old, 0);
		image_free(old);
	}
}

void itree_remove(const struct itree *tree, uint64_t start)
{
	struct path path;
	unsigned int level;
	struct itree *w;

	descend(tree, start, &path);
	level = path.depth - 1;
	node_delete(path.node[level], path.at[level]);
	w = image_write(tree);
	w->count--;
	while (level && !path.node[level]->count) {
		image_free(path.node[level]);
		level--;
		node_delete(path.node[level], path.at[level]);
	}
	if (!path.node[level]->count) {		/* only the root can be left empty */
		image_free(path.node[level]);
		w->root = NULL;
		return;
	}
	for (;;) {
		refresh(&path, level);
		if (!level)
			break;
		if (path.node[level]->count >= SMALL || path.node[level - 1]->count < 2)
			break;
		merge(&path, level);
		level--;
	}
	root_shrink(tree);
}

static void node_free(const struct itree_node *node)
{
	for (unsigned int i = 0; !node->leaf && i < node->count; i++)
		node_free(child(node, i));
	image_free(node);
}

void itree_clear(const struct itree *tree)
{
	struct itree *w;

	if (!tree->root)
		return;
	node_free(tree->root);
	w = image_write(tree);
	w->root = NULL;
	w->count = 0;
}

bool itree_find(const struct itree *tree, uint64_t first, uint64_t last, struct itree_span *span)
{
	const struct itree_node *node = tree->root;

	while (node) {
		unsigned int at = 0;

		while (at < node->count && node->e[at].last < first)
			at++;
		if (at == node->count)
			return false;
		if (node->leaf) {
			span->start = node->e[at].start;
			span->last = node->e[at].last;
			span->item = node->e[at].down;
			return span->start <= last;
		}
		node = child(node, at);
	}
	return false;
}

bool itree_find_below(const struct itree *tree, uint64_t last, struct itree_span *span)
{
	const struct itree_node *node = tree->root;

	if (!node || node->e[0].start > last)
		return false;
	while (!node->leaf)
		node = child(node, slot_of(node, last));
	span->start = node->e[slot_of(node, last)].start;
	span->last = node->e[slot_of(node, last)].last;
	span->item = node->e[slot_of(node, last)].down;
	return true;
}

/* -- finding room ----------------------------------------------------------------------------- */

struct fit {
	uint64_t first, last;
	uint64_t len, align, offset;
	uint64_t at;
};

/* Does the free run [start, last] hold it? */
static bool fit_run(struct fit *fit, uint64_t start, uint64_t last)
{
	uint64_t at;

	if (start < fit->first)
		start = fit->first;
	if (last > fit->last)
		last = fit->last;
	if (__builtin_add_overflow(start, fit->align - 1, &at))
		return false;
	at = (at & ~(fit->align - 1)) | fit->offset;
	if (at > last || last - at < fit->len - 1)
		return false;
	fit->at = at;
	return true;
}

static bool fit_node(struct fit *fit, const struct itree_node *node)
{
	for (unsigned int i = 0; i < node->count; i++) {
		const struct entry *e = &node->e[i];

		if (e->start > fit->last)
			return false;
		if (!node->leaf && e->gap >= fit->len && e->last >= fit->first &&
		    fit_node(fit, child(node, i)))
			return true;
		if (i + 1 < node->count && run_between(e, e + 1) >= fit->len &&
		    fit_run(fit, e->last + 1, e[1].start - 1))
			return true;
	}
	return false;
}

int itree_fit(const struct itree *tree, uint64_t first, uint64_t last, uint64_t len, uint64_t align,
	      uint64_t offset, uint64_t *at)
{
	struct fit fit = { .first = first, .last = last, .len = len, .align = align,
			   .offset = offset };
	const struct itree_node *root = tree->root;
	bool found;

	if (!root) {
		found = fit_run(&fit, 0, UINT64_MAX);
	} else {
		const struct entry *low = &root->e[0], *high = &root->e[root->count - 1];

		found = (low->start && fit_run(&fit, 0, low->start - 1)) || fit_node(&fit, root) ||
			(high->last != UINT64_MAX && fit_run(&fit, high->last + 1, UINT64_MAX));
	}
	if (!found)
		return -ENOSPC;
	*at = fit.at;
	return 0;
}
