/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that the drop-in cannot be loaded into: the command refuses them, an exec warns. */
#ifndef SWTIO_SHIM_PROGRAM_H
#define SWTIO_SHIM_PROGRAM_H

#include <limits.h>

/* Why what execvp() would run by this name is out of reach, as half a sentence; NULL: it is not, or
 * exec itself will say what is wrong. path: the program's, or that of a script's interpreter.
 * Allocates nothing. */
const char *program_out_of_reach(const char *name, char path[PATH_MAX]);

#endif
