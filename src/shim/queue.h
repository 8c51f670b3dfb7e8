/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that can be polled: fault and event queues. Their descriptors are of a FIFO in the tree,
 * one a file, which holds a byte while there is something to read, so that poll, select and epoll
 * are the real kernel's. The FIFO's inode is the identity (struct file, node); an OFD lock on it
 * goes with the last reference, as for all files of ours.
 */
#ifndef SWTIO_SHIM_QUEUE_H
#define SWTIO_SHIM_QUEUE_H

#include "kernel/kernel.h"

bool queue_is(const struct file *file);
int queue_make(const struct file *file, unsigned int flags); /* fd or -errno */
void queue_remove(const struct file *file);
const struct file *queue_file(int fd); /* NULL: not a queue of ours */
bool queue_named(int fd);	       /* without the image: is it one, by its name? */
int queue_probe(const struct file *file); /* another descriptor of the FIFO, or -1 */
/* Every queue's FIFO as its poll() says. Under the image's lock. */
void queues_update(void);

#endif
