/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VF tokens: a PF in the hands of a client could spy on its VFs, so whoever opens a VF shows that
 * the PF's owner agrees, by a secret that the two share. It matters for VFs that were enabled while
 * vfio-pci had the PF; others have no PF to fear.
 */
#include <ctype.h>

#include "kernel/vfio/internal.h"

static bool matches(const struct vfio_device *pf, const uint8_t *uuid)
{
	return uuid && !memcmp(pf->token, uuid, VFIO_TOKEN);
}

static bool is_pf(const struct vfio_device *vdev)
{
	return !vdev->pdev->is_virtfn && vdev->pdev->cap_sriov;
}

static void token_set(const struct vfio_device *vdev, const uint8_t *uuid)
{
	memcpy(image_log(vdev->token, VFIO_TOKEN), uuid, VFIO_TOKEN);
}

int vfio_token_check(const struct vfio_device *vdev, const uint8_t *uuid)
{
	if (vdev->pdev->is_virtfn) {
		if (!vdev->pf)
			return uuid ? -EINVAL : 0;
		return matches(vdev->pf, uuid) ? 0 : -EACCES;
	}
	if (!is_pf(vdev))
		return uuid ? -EINVAL : 0;
	/* VFs are in use: only who knows the secret may have the PF too. */
	if (vdev->token_users)
		return matches(vdev, uuid) ? 0 : -EACCES;
	if (uuid)
		token_set(vdev, uuid);
	return 0;
}

void vfio_token_use(const struct vfio_device *vdev, bool on)
{
	struct vfio_device *w, *pf;

	if (!vdev->pf || vdev->uses_token == on)
		return;
	w = image_write(vdev);
	w->uses_token = on;
	pf = image_write(vdev->pf);
	pf->token_users += on ? 1 : -1u;
}

/* There is no way to read it: it may be that of the owner before. */
long vfio_feature_token(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len)
{
	uint8_t uuid[VFIO_TOKEN];
	int rc;

	if (!is_pf(vdev))
		return -ENOTTY;
	rc = vfio_feature_check(flags, len, VFIO_DEVICE_FEATURE_SET, sizeof(uuid));
	if (rc != 1)
		return rc;
	if (copy_from_user(uuid, data, sizeof(uuid)))
		return -EFAULT;
	token_set(vdev, uuid);
	return 0;
}

int vfio_uuid_parse(const char *text, uint8_t uuid[VFIO_TOKEN])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	unsigned int n = 0;

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		unsigned char c = (unsigned char)text[i];
		int digit = isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;

		if (form[i] == '-' ? c != '-' : !isxdigit(c))
			return -EINVAL;
		if (form[i] == '-')
			continue;
		uuid[n / 2] = (uint8_t)(n % 2 ? uuid[n / 2] | digit : digit << 4);
		n++;
	}
	return 0;
}
