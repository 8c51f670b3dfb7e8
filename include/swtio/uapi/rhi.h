/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Realm Host Interface for device assignment (RHI_DA): what a Realm asks its VMM by RSI_HOST_CALL.
 * Function ids are SMCCC's, owner 5. x1 is always the vDEVICE's id. Lines marked (?) differ between the
 * implementations there are.
 */
#ifndef SWTIO_UAPI_RHI_H
#define SWTIO_UAPI_RHI_H

#define RHI_DA_FEATURES 0xc500004bull		/* -> x0 features */
#define RHI_DA_OBJECT_SIZE 0xc500004cull	/* x2 object -> x1 bytes */
#define RHI_DA_OBJECT_READ 0xc500004dull	/* x2 object, x3 offset, x4 IPA, x5 bytes (?) -> x1 bytes */
#define RHI_DA_CONTINUE 0xc5000051ull
#define RHI_DA_GET_INTERFACE_REPORT 0xc5000052ull	/* (?) or 53 */
#define RHI_DA_GET_MEASUREMENTS 0xc5000053ull		/* (?) or 52 */
#define RHI_DA_SET_TDI_STATE 0xc5000054ull	/* x2 one of the three */
#define RHI_DA_ABORT 0xc5000056ull

enum rhi_tdi_state { RHI_TDI_UNLOCKED, RHI_TDI_LOCKED, RHI_TDI_RUN };
enum rhi_object { RHI_CERTIFICATE = 1, RHI_MEASUREMENTS, RHI_REPORT, RHI_VCA, RHI_OBJECTS };
enum rhi_feature { RHI_FEATURE_DA = 1 };	/* (?) the bits */

enum rhi_result {
	RHI_OK, RHI_INCOMPLETE, RHI_NO_DATA, RHI_BAD_VDEV, RHI_BAD_OBJECT, RHI_BAD_INPUT, RHI_DEVICE,
	RHI_BAD_OFFSET, RHI_ACCESS, RHI_BUSY
};

#endif
