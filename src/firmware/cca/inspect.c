/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-only views of the RMM for invariants, tests and people. */
#include "firmware/cca/internal.h"

const char *vdev_state_name(enum vdev_state state)
{
	static const char *const names[] = { "NEW", "UNLOCKED", "LOCKED", "STARTED", "ERROR",
					     "KEY_REFRESH", "KEY_PURGE" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

const char *pdev_state_name(enum pdev_state state)
{
	static const char *const names[] = { "NEW", "NEEDS_KEY", "HAS_KEY", "READY", "STOPPING",
					     "STOPPED", "ERROR" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static struct cca_vdev_view vdev_view(const struct cca_vdev *vdev)
{
	return (struct cca_vdev_view){
		.vdev = vdev->granule,
		.pdev = vdev->pdev->granule,
		.rd = vdev->realm->rd,
		.rid = vdev->rid,
		.state = (enum vdev_state)vdev->state,
		.comm = (enum comm_state)vdev->comm.state,
		.lock_nonce = vdev->lock_nonce,
		.meas_nonce = vdev->meas_nonce,
		.report_nonce = vdev->report_nonce,
		.dma = vdev->dma,
		.mapped = vdev->mapped,
	};
}

static const struct cca_vdev *vdev_of_rid(uint16_t rid)
{
	const struct cca_vdev *vdev = rmm() ? rmm()->vdevs : NULL;

	while (vdev && vdev->rid != rid)
		vdev = vdev->next;
	return vdev;
}

int cca_vdev_view(uint16_t rid, struct cca_vdev_view *view)
{
	const struct cca_vdev *vdev = vdev_of_rid(rid);

	if (!vdev)
		return -ENOENT;
	*view = vdev_view(vdev);
	return 0;
}

int cca_vdev_each(int (*fn)(const struct cca_vdev_view *view, void *arg), void *arg)
{
	int rc = 0;

	for (const struct cca_vdev *vdev = rmm() ? rmm()->vdevs : NULL; vdev && !rc;
	     vdev = vdev->next) {
		struct cca_vdev_view view = vdev_view(vdev);

		rc = fn(&view, arg);
	}
	return rc;
}

int cca_vdev_range(uint16_t rid, unsigned int index, uint64_t *base, uint64_t *top)
{
	const struct cca_vdev *vdev = vdev_of_rid(rid);

	if (!vdev || index >= vdev->range_count)
		return -ENOENT;
	*base = vdev->ranges[index].base;
	*top = vdev->ranges[index].top;
	return 0;
}

static struct cca_pdev_view pdev_view(const struct cca_pdev *pdev)
{
	return (struct cca_pdev_view){
		.pdev = pdev->granule,
		.rid = pdev->rid,
		.state = (enum pdev_state)pdev->state,
		.comm = (enum comm_state)pdev->comm.state,
		.stream_wait = pdev->comm.stream_wait,
		.vdevs = pdev->vdevs,
		.streams = pdev->streams,
	};
}

int cca_pdev_view(uint16_t rid, struct cca_pdev_view *view)
{
	const struct cca_pdev *pdev = rmm() ? rmm()->pdevs : NULL;

	while (pdev && pdev->rid != rid)
		pdev = pdev->next;
	if (!pdev)
		return -ENOENT;
	*view = pdev_view(pdev);
	return 0;
}

int cca_pdev_each(int (*fn)(const struct cca_pdev_view *view, void *arg), void *arg)
{
	int rc = 0;

	for (const struct cca_pdev *pdev = rmm() ? rmm()->pdevs : NULL; pdev && !rc;
	     pdev = pdev->next) {
		struct cca_pdev_view view = pdev_view(pdev);

		rc = fn(&view, arg);
	}
	return rc;
}

const uint8_t *cca_vdev_digest(uint16_t rid, unsigned int object)
{
	const struct cca_vdev *vdev = vdev_of_rid(rid);
	bool of_pdev = object == OBJECT_CERTIFICATE || object == OBJECT_VCA;

	if (!vdev || !object || object >= OBJECTS)
		return NULL;
	return of_pdev ? vdev->pdev->digest[object] : vdev->digest[object];
}
