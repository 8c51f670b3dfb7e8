/* SPDX-License-Identifier: BSD-2-Clause */
/* Weak stand-ins for the upward events of rooms that are not built yet. A real definition wins. */
#include "firmware/tdx/tdx.h"
#include "hardware/cpu.h"
#include "hardware/function.h"
#include "hardware/iommu.h"
#include "hardware/phys.h"

#define WEAK __attribute__((weak))

WEAK const struct function_ops *function_model_ops(uint16_t model)
{
	(void)model;
	return NULL;
}

WEAK void kernel_interrupt(uint16_t rid, uint64_t address, uint32_t data)
{
	(void)rid, (void)address, (void)data;
}

WEAK void kernel_iommu_fault(uint16_t rid, uint32_t pasid, bool t, uint64_t address, bool write, unsigned int reason)
{
	(void)rid, (void)pasid, (void)t, (void)address, (void)write, (void)reason;
}

WEAK void kernel_page_request(const struct iommu_page_request *request)
{
	(void)request;
}

WEAK void kernel_mmio_moved(uint16_t rid)
{
	(void)rid;
}

WEAK bool kernel_client_reach(uint32_t owner, uint64_t address)
{
	(void)owner, (void)address;
	return false;
}

WEAK int trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner)
{
	(void)root, (void)gpa, (void)leaf, (void)owner;
	return -2;
}

WEAK void guest_run(const struct vcpu_hw *vcpu)
{
	(void)vcpu;
}

WEAK void guest_gone(uint32_t vm)
{
	(void)vm;
}
