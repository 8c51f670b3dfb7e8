/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder that `swtio setup` makes and `swtio device --identity` reads. */
#ifndef SWTIO_CLI_SETUP_H
#define SWTIO_CLI_SETUP_H

#include <stdint.h>

#define SETUP_VERSION 1			/* of the folder's contents, in the manifest */
#define SETUP_MEASUREMENTS 2u
#define SETUP_KEY "key.pem"
#define SETUP_CHAIN "chain.pem"
#define SETUP_ROOT "root.pem"
#define SETUP_MANIFEST "manifest.json"

/* Gives the device at rid the manifest's measurements: 0, or an exit code and a message. */
int setup_measurements_load(const char *dir, uint16_t rid);

#endif
