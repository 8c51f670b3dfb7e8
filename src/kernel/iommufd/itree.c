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

	/* IOVAs are mostly handed out upwards. */
	if (node->e[node->count - 1].start <= key)
		return node->count - 1;
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

static struct entry sum_up(const struct itree_node *node)
{
	struct entry sum = { .start = node->e[0].start, .last = node->e[node->count - 1].last,
			     .gap = node->e[0].gap, .down = node };

	for (unsigned int i = 1; i < node->count; i++) {
		uint64_t run = run_between(&node->e[i - 1], &node->e[i]);

		if (run > sum.gap)
			sum.gap = run;
		if (node->e[i].gap > sum.gap)
			sum.gap = node->e[i].gap;
	}
	return sum;
}

static void sum_set(const struct entry *of, const struct itree_node *node)
{
	struct entry *sum = image_write(of);

	*sum = sum_up(node);
}

static uint64_t wider(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* `sum` is what the node summed up to when its entry `at` was `was`. All entries are looked at only
 * if what made the largest run got smaller. */
static inline struct entry sum_change(const struct itree_node *node, unsigned int at, struct entry was,
			       struct entry sum)
{
	const struct entry *e = node->e, *is = &e[at];
	bool left = at, right = at + 1 < node->count;

	if ((was.gap == sum.gap && is->gap < was.gap) ||
	    (left && is->start < was.start && was.start - e[at - 1].last - 1 == sum.gap) ||
	    (right && is->last > was.last && e[at + 1].start - was.last - 1 == sum.gap))
		return sum_up(node);
	sum.start = e[0].start;
	sum.last = e[node->count - 1].last;
	sum.gap = wider(sum.gap, is->gap);
	if (left)
		sum.gap = wider(sum.gap, run_between(&e[at - 1], is));
	if (right)
		sum.gap = wider(sum.gap, run_between(is, &e[at + 1]));
	return sum;
}

/* The same for a leaf that an interval was put into at `at`. */
static inline struct entry sum_insert(const struct itree_node *leaf, unsigned int at, struct entry sum)
{
	const struct entry *e = leaf->e;
	bool left = at, right = at + 1 < leaf->count;

	if (left && right && run_between(&e[at - 1], &e[at + 1]) == sum.gap)
		return sum_up(leaf);
	sum.start = e[0].start;
	sum.last = e[leaf->count - 1].last;
	if (left)
		sum.gap = wider(sum.gap, run_between(&e[at - 1], &e[at]));
	if (right)
		sum.gap = wider(sum.gap, run_between(&e[at], &e[at + 1]));
	return sum;
}

/* What the node at a level of the path sums up to, as its parent has it. */
static const struct entry *sum_at(const struct path *path, unsigned int level)
{
	return &path->node[level - 1]->e[path->at[level - 1]];
}

/* The node at `level` sums up to `sum` now: so do those above; stops where nothing changed. Field by
 * field, since what was just written by eight bytes is slow to read by sixteen. */
static inline void climb(const struct path *path, unsigned int level, struct entry sum)
{
	for (; level; level--) {
		const struct itree_node *parent = path->node[level - 1];
		const struct entry *is = sum_at(path, level);
		struct entry was = { is->start, is->last, is->gap, NULL }, *entry;

		if (was.start == sum.start && was.last == sum.last && was.gap == sum.gap)
			return;
		entry = image_write(is);
		entry->start = sum.start;
		entry->last = sum.last;
		entry->gap = sum.gap;
		if (level == 1)
			return;
		sum = sum_change(parent, path->at[level - 1], was, *sum_at(path, level - 1));
	}
}

/* Brings the sums above level `below` up to date. */
static void refresh(const struct path *path, unsigned int below)
{
	climb(path, below, sum_up(path->node[below]));
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
	root->e[0] = sum_up(left);
	root->e[1] = sum_up(right);
	root->count = 2;
	w = image_write(tree);
	w->root = root;
	return 0;
}

/* Sums, after an entry came into the node at `level`. */
static void inserted(const struct path *path, unsigned int level, unsigned int at)
{
	const struct itree_node *node = path->node[level];

	if (!level)
		return;
	if (node->leaf)
		climb(path, level, sum_insert(node, at, *sum_at(path, level)));
	else
		refresh(path, level);
}

static int tree_insert(const struct itree *tree, struct entry entry)
{
	const struct itree_node *right;
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
			inserted(&path, level, at);
			return 0;
		}
		rc = node_split(node, at, &entry, &right);
		if (rc)
			return rc;
		if (!level)
			return root_grow(tree, node, right);
		entry = sum_up(right);
		level--;
		sum_set(&path.node[level]->e[path.at[level]], node);
		at = path.at[level] + 1;
	}
}

int itree_insert(const struct itree *tree, uint64_t start, uint64_t last, const void *item)
{
	struct entry entry = { .start = start, .last = last, .down = item };
	struct itree *w;
	int rc;

	if (tree->root) {
		rc = tree_insert(tree, entry);
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
	sum_set(&parent->e[at], left);
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

/* -- many at once ------------------------------------------------------------------------------ */

struct removal {
	uint64_t first, last, count;
	void (*fn)(const void *item, void *arg);
	void *arg;
};

/* Takes `count` entries from `from` on out of a node. */
static void node_cut(const struct itree_node *node, unsigned int from, unsigned int count)
{
	unsigned int tail = node->count - from - count;
	uint32_t *left = image_write(&node->count);
	struct entry *e;

	if (tail) {
		e = image_log(&node->e[from], tail * sizeof(*e));
		memmove(e, &node->e[from + count], tail * sizeof(*e));
	}
	*left -= count;
}

/* Empties the part of a node that lies in the range; the node itself stays. */
static void node_remove(const struct itree_node *node, struct removal *job)
{
	unsigned int from = node->count, gone = 0;

	for (unsigned int i = 0; i < node->count && node->e[i].start <= job->last; i++) {
		const struct entry *e = &node->e[i];

		if (node->leaf ? e->start < job->first : e->last < job->first)
			continue;
		/* Items are far apart, and each is about to be read. */
		if (i + 2 < node->count) {
			__builtin_prefetch(e[2].down);
			__builtin_prefetch((const uint8_t *)e[2].down + 128);
		}
		if (node->leaf) {
			job->fn(e->down, job->arg);
			job->count++;
		} else {
			node_remove(child(node, i), job);
			if (child(node, i)->count) {
				sum_set(e, child(node, i));
				continue;
			}
			image_free(child(node, i));
		}
		from = from < i ? from : i;
		gone++;
	}
	if (gone)
		node_cut(node, from, gone);
}

void itree_remove_range(const struct itree *tree, uint64_t first, uint64_t last,
			void (*fn)(const void *item, void *arg), void *arg)
{
	struct removal job = { first, last, 0, fn, arg };
	struct itree *w;

	if (!tree->root)
		return;
	node_remove(tree->root, &job);
	w = image_write(tree);
	w->count -= job.count;
	if (!tree->root->count) {
		image_free(tree->root);
		w->root = NULL;
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
		unsigned int at = slot_of(node, first);

		at += node->e[at].last < first;
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

bool itree_find_nth(const struct itree *tree, uint64_t first, uint64_t last, unsigned int n,
		    struct itree_span *span)
{
	struct path path;

	for (bool found = false;; found = true) {
		const struct itree_node *leaf;
		unsigned int at, step;

		if (!itree_find(tree, first, UINT64_MAX, span))
			return found;
		descend(tree, span->start, &path);
		leaf = path.node[path.depth - 1];
		at = path.at[path.depth - 1];
		step = leaf->count - 1 - at < n ? leaf->count - 1 - at : n;
		*span = (struct itree_span){ leaf->e[at + step].start, leaf->e[at + step].last,
					     leaf->e[at + step].down };
		if (step == n || span->last >= last)
			return true;
		n -= step + 1;
		first = span->last + 1;
	}
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
