/* SPDX-License-Identifier: BSD-2-Clause */
/* Workers: the RMM hands out a message, the host carries it to the DSM, brings the answer, and keeps
 * what it is told to keep. */
#include <string.h>

#include "kernel/tsm/cca_link.h"

static struct cca_worker *worker_write(const struct cca_worker *worker)
{
	return image_write(worker);
}

int cca_worker_make(const struct cca_worker *worker)
{
	struct cca_worker *w = worker_write(worker);

	if (!w->page)
		w->page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_CCA_PAGE);
	if (!w->buffers)
		w->buffers = image_bulk_alloc(2 * COMM_BUFFER, IMAGE_TYPE_CCA_PAGE);
	return w->page && w->buffers ? 0 : -ENOMEM;
}

void cca_worker_free(const struct cca_worker *worker)
{
	struct cca_worker *w = worker_write(worker);

	image_bulk_free(w->page);
	image_bulk_free(w->buffers);
	w->page = w->buffers = NULL;
}

int cca_object_make(const struct cca_object *object)
{
	struct cca_object *w = image_write(object);

	w->bytes = image_bulk_alloc(CCA_OBJECT_SIZE, IMAGE_TYPE_CCA_PAGE);
	return w->bytes ? 0 : -ENOMEM;
}

uint8_t *cca_params(const struct cca_link *link)
{
	return memset(image_bulk_write(link->params, PHYS_PAGE), 0, PHYS_PAGE);
}

void cca_param(uint8_t *page, unsigned int offset, uint64_t value)
{
	struct writer w = writer_of(page + offset, 8);

	put_le64(&w, value);
}

/* -- the cache -------------------------------------------------------------------------------------- */

static const struct cca_object *object_of(const struct pci_tsm *tsm, const struct cca_worker *worker,
					  uint64_t object)
{
	const struct cca_link *link = cca_link_of(tsm);
	const struct cca_tdi *tdi = tsm->tdi_driver;

	if (object >= OBJECTS)
		return NULL;
	return worker->is_vdev ? (tdi ? &tdi->object[object] : NULL) : &link->object[object];
}

static void object_add(const struct cca_object *object, bool begins, const uint8_t *bytes,
		       uint64_t offset, uint64_t len)
{
	struct cca_object *w;
	uint32_t at;

	if (!object || !object->bytes || offset > COMM_BUFFER || len > COMM_BUFFER - offset)
		return;
	w = image_write(object);
	at = begins ? 0 : w->len;
	if (len > CCA_OBJECT_SIZE - at)
		return;
	memcpy(image_bulk_write(object->bytes + at, len), bytes + offset, len);
	w->len = at + (uint32_t)len;
}

static void exit_cache(const struct pci_tsm *tsm, const struct cca_worker *worker,
		       const uint64_t exit[10])
{
	const struct cca_object *object = object_of(tsm, worker, exit[5]);
	uint64_t flags = exit[0];

	if (flags & COMM_CACHE_RSP)
		object_add(object, flags & COMM_RSP_RESET, worker->buffers + COMM_BUFFER, exit[3],
			   exit[4]);
	if (flags & COMM_CACHE_REQ)
		object_add(object, flags & COMM_RSP_RESET && !(flags & COMM_CACHE_RSP),
			   worker->buffers, exit[1], exit[2]);
}

/* -- turns ------------------------------------------------------------------------------------------- */

static void exit_read(const struct cca_worker *worker, uint64_t exit[10])
{
	struct reader r = reader_of(worker->page + COMM_FLAGS, 80);

	for (unsigned int i = 0; i < 10; i++)
		exit[i] = get_le64(&r);
}

static uint64_t communicate(const struct cca_worker *worker)
{
	uint8_t *page = image_bulk_write(worker->page, PHYS_PAGE);
	struct smc_args args;

	cca_param(page, COMM_STATUS, worker->status);
	cca_param(page, COMM_REQ_ADDR, phys_of(worker->buffers));
	cca_param(page, COMM_RSP_ADDR, phys_of(worker->buffers + COMM_BUFFER));
	cca_param(page, COMM_RSP_LEN, worker->response_len);
	if (worker->is_vdev)
		args = (struct smc_args){ .x = { 0, worker->rd, worker->pdev, worker->vdev,
						 phys_of(worker->page) } };
	else
		args = (struct smc_args){ .x = { 0, worker->pdev, phys_of(worker->page) } };
	return cca_rmi(LANE_TSM, worker->is_vdev ? RMI_VDEV_COMMUNICATE : RMI_PDEV_COMMUNICATE,
		       &args);
}

/* The RMM's turn. An answer stays told until the RMM asks for more: a call that was not served may not
 * have read it. */
static void worker_call(const struct pci_tsm *tsm, const struct cca_worker *worker,
			unsigned int *tries)
{
	uint64_t result = communicate(worker), exit[10];
	struct cca_worker *w = worker_write(worker);

	if (rmi_status(result) == RMI_BUSY && tsm_wait(IMAGE_WAIT_BUSY, tries))
		return;
	if (result) {
		w->state = WORKER_FAILED;
		return;
	}
	exit_read(worker, exit);
	exit_cache(tsm, worker, exit);
	w->response_len = 0;
	w->status = COMM_STATUS_NONE;
	if (exit[0] & COMM_SEND) {
		w->state = WORKER_EXCHANGE;
		w->request_len = exit[8] <= COMM_BUFFER ? (uint32_t)exit[8] : 0;
	} else if (exit[0] & COMM_STREAM_WAIT) {
		w->state = WORKER_STREAM;
	} else if (exit[0] & COMM_WAIT) {
		if (!tsm_wait(IMAGE_WAIT_BUSY, tries))
			w->state = WORKER_FAILED;
	} else {
		w->state = WORKER_IDLE;
	}
}

/* The device's turn. */
static void worker_exchange(const struct pci_tsm *tsm, const struct cca_worker *worker)
{
	uint8_t answer[COMM_BUFFER];
	struct cca_worker *w;
	int n = tsm_exchange(tsm, &worker->exchange, worker->buffers, worker->request_len, answer,
			     COMM_BUFFER);

	if (n > 0)
		memcpy(image_bulk_write(worker->buffers + COMM_BUFFER, (size_t)n), answer,
		       (size_t)n);
	w = worker_write(worker);
	w->response_len = n > 0 ? (uint32_t)n : 0;
	w->status = n > 0 ? COMM_STATUS_RESPONSE : COMM_STATUS_ERROR;
	w->state = WORKER_CALL;
}

static bool worker_runs(const struct cca_worker *worker)
{
	return worker->state == WORKER_CALL || worker->state == WORKER_EXCHANGE;
}

/* Until it is done, failed, or waits for the other end. */
static void worker_go(const struct pci_tsm *tsm, const struct cca_worker *worker)
{
	unsigned int tries = 0;

	for (unsigned int i = 0; i < TSM_RELAY_ROUNDS && worker_runs(worker); i++) {
		if (worker->state == WORKER_EXCHANGE)
			worker_exchange(tsm, worker);
		else
			worker_call(tsm, worker, &tries);
	}
	if (worker_runs(worker))
		worker_write(worker)->state = WORKER_FAILED;
}

static void worker_start(const struct cca_worker *worker)
{
	struct cca_worker *w = worker_write(worker);

	w->state = WORKER_CALL;
	w->status = COMM_STATUS_NONE;
	w->response_len = 0;
	w->exchange.sent = false;
}

static int worker_end(const struct cca_worker *worker)
{
	int rc = worker->state == WORKER_IDLE ? 0 : -EIO;

	worker_write(worker)->state = WORKER_IDLE;
	return rc;
}

int cca_worker_run(const struct pci_tsm *tsm, const struct cca_worker *worker)
{
	worker_start(worker);
	worker_go(tsm, worker);
	return worker_end(worker);
}

/* -- two ends ---------------------------------------------------------------------------------------- */

static void abort_pdev(const struct cca_worker *worker)
{
	struct smc_args args = { .x = { 0, worker->pdev } };

	if (worker->pdev)
		cca_host_call(LANE_TSM, RMI_PDEV_ABORT, &args);
}

/* Each worker runs until it waits for the other; then the other one's turn comes, at a wait point of
 * its own, as that of a second thread would. When both wait, or one is over without the other, whoever
 * waits is released by an abort. */
static void turns(const struct pci_tsm *tsm, const struct cca_worker *rp, const struct cca_worker *ep)
{
	const struct cca_worker *both[] = { rp, ep };

	for (unsigned int i = 0; i < TSM_RELAY_ROUNDS; i++) {
		const struct cca_worker *worker = both[i % 2], *other = both[(i + 1) % 2];
		bool waited = worker->state == WORKER_STREAM;

		if (waited) {
			image_wait(IMAGE_WAIT_STREAM);
			worker_write(worker)->state = WORKER_CALL;
		}
		worker_go(tsm, worker);
		if (worker->state == WORKER_FAILED) {
			if (other->state != WORKER_IDLE && !mutant(MUTANT_FORGET_ABORT))
				abort_pdev(other);
			return;
		}
		if (worker->state == WORKER_IDLE && other->state == WORKER_IDLE)
			return;
	}
	abort_pdev(rp);
	abort_pdev(ep);
}

static int turns_end(const struct cca_worker *rp, const struct cca_worker *ep)
{
	int rc = worker_end(rp), rc2 = worker_end(ep);

	return rc ? rc : rc2;
}

int cca_workers_run(const struct pci_tsm *tsm)
{
	const struct cca_link *link = cca_link_of(tsm);

	worker_start(&link->worker[CCA_EP]);
	worker_start(&link->worker[CCA_RP]);
	turns(tsm, &link->worker[CCA_RP], &link->worker[CCA_EP]);
	return turns_end(&link->worker[CCA_RP], &link->worker[CCA_EP]);
}

/* -- what a dead caller left --------------------------------------------------------------------------- */

void cca_workers_finish(const struct pci_tsm *tsm, const struct cca_worker *worker)
{
	const struct cca_link *link = cca_link_of(tsm);

	if (link->worker[CCA_RP].state != WORKER_IDLE || link->worker[CCA_EP].state != WORKER_IDLE) {
		turns(tsm, &link->worker[CCA_RP], &link->worker[CCA_EP]);
		turns_end(&link->worker[CCA_RP], &link->worker[CCA_EP]);
	}
	if (!worker || worker->state == WORKER_IDLE)
		return;
	worker_go(tsm, worker);
	worker_end(worker);
}

void cca_workers_abandon(const struct pci_tsm *tsm, const struct cca_worker *worker)
{
	const struct cca_link *link = cca_link_of(tsm);
	struct smc_args args;

	for (unsigned int i = 0; i < CCA_ENDS; i++) {
		if (link->worker[i].state != WORKER_IDLE && !mutant(MUTANT_FORGET_ABORT))
			abort_pdev(&link->worker[i]);
		worker_end(&link->worker[i]);
	}
	if (!worker || worker->state == WORKER_IDLE)
		return;
	args = (struct smc_args){ .x = { 0, worker->vdev } };
	cca_host_call(LANE_TSM, RMI_VDEV_ABORT, &args);
	worker_end(worker);
}
