/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls: the lock, and what runs under it. Depth and frames belong to the thread that holds the
 * lock; nothing of them is in the image, since their owner's death undoes the call anyway.
 */
#include "image/arena.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/klock.h"

struct frame {
	jmp_buf env;
	struct frame *below;
	uint64_t call;
	unsigned int depth;	/* the lock's, once this call has entered */
	uint32_t task;
};

static _Thread_local struct {
	struct frame *frame;
	unsigned int depth;
} self;

static struct {
	void (*fn)(enum image_wait point, void *arg);
	void *arg;
} hook;

static int lock_take(void)
{
	int rc = pthread_mutex_lock(&HEADER->lock);

	if (rc == EOWNERDEAD) {
		journal_recover();
		pthread_mutex_consistent(&HEADER->lock);
	} else if (rc) {
		return -rc;
	}
	/* What was written outside of any call, at power-on, is there to stay. */
	if (journal_dirty() || HEADER->tidy)
		image_commit();
	return 0;
}

int image_enter(void)
{
	int rc;

	if (!arena_mapped)
		return -ENODEV;
	if (!self.depth) {
		rc = lock_take();
		if (rc)
			return rc;
	}
	self.depth++;
	return 0;
}

void image_leave(void)
{
	image_commit();
	if (!--self.depth)
		pthread_mutex_unlock(&HEADER->lock);
}

uint64_t call_serial(void)
{
	return self.frame ? self.frame->call : 0;
}

bool call_on_stack(uint64_t call)
{
	const struct frame *frame = self.frame;

	while (frame && frame->call != call)
		frame = frame->below;
	return frame && call;
}

static long frame_run(struct frame *frame, long (*fn)(void *arg), void *arg)
{
	int err = _setjmp(frame->env);

	return err ? err : fn(arg);
}

long image_call(long (*fn)(void *arg), void *arg)
{
	struct frame frame = { .below = self.frame, .task = klock_task() };
	long rc = image_enter();

	if (rc)
		return rc;
	frame.depth = self.depth;
	frame.call = ++HEADER->now.calls;
	self.frame = &frame;
	rc = frame_run(&frame, fn, arg);
	/* It may have been left from anywhere: inside deeper enters, or out of a wait point. */
	if (!self.depth)
		lock_take();
	self.depth = frame.depth;
	if (rc < 0)
		image_rollback();
	klock_set_task(frame.task);
	klock_call_end(frame.call, rc < 0);
	self.frame = frame.below;
	image_leave();
	return rc;
}

void image_call_abort(int err)
{
	if (!self.frame) {
		/* No entry to go back to: whoever wrote outside of a call must not run on. */
		fprintf(stderr, "swtio: the image is full, outside of any call\n");
		abort();
	}
	_longjmp(self.frame->env, err < 0 ? err : -EIO);
}

/* -- wait points ------------------------------------------------------------------------------ */

const char *image_wait_name(enum image_wait point)
{
	static const char *const names[IMAGE_WAIT_MAX] = {
		[IMAGE_WAIT_NONE] = "none",
		[IMAGE_WAIT_DOE] = "doe",
		[IMAGE_WAIT_BUSY] = "busy",
		[IMAGE_WAIT_RESUMABLE] = "resumable",
		[IMAGE_WAIT_REVOKE] = "revoke",
		[IMAGE_WAIT_STREAM] = "stream",
		[IMAGE_WAIT_LOCK] = "lock",
		[IMAGE_WAIT_USER] = "user",
	};

	return (unsigned int)point < IMAGE_WAIT_MAX ? names[point] : "unknown";
}

void image_wait_hook(void (*fn)(enum image_wait point, void *arg), void *arg)
{
	hook.fn = fn;
	hook.arg = arg;
}

void image_wait(enum image_wait point)
{
	unsigned int depth = self.depth;
	uint32_t task = klock_task();

	image_commit();
	if (depth) {
		self.depth = 0;
		pthread_mutex_unlock(&HEADER->lock);
	}
	if (hook.fn)
		hook.fn(point, hook.arg);
	else
		sched_yield();
	klock_set_task(task);
	if (depth) {
		lock_take();
		self.depth = depth;
	}
}
