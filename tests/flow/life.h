/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A platform's life cycle as the tests play it: by its phases, whatever their steps are called, and with a
 * small workload. SWTIO_FLOW names the flow.
 */
#ifndef TESTS_FLOW_LIFE_H
#define TESTS_FLOW_LIFE_H

#include "flow/parse.h"

#define LIFE_VF 0x101			/* the function that it binds */

/* The flow's text, its workload cut; a static buffer, or NULL. */
char *life_text(void);
/* A machine with its device connected, on which one VM has lived and died: what stays for good is
 * made. The next step is the first after connect. 0 or -1. */
int life_start(void);

uint32_t life_now(void);		/* the next step; 0: the end */
uint32_t life_first(uint8_t phase);	/* its first step; 0: the flow has none */
uint32_t life_step_of(const char *verb);	/* the first step with such an action; fails the test */
uint8_t life_phase(uint32_t step);
void life_play_to(uint32_t step);	/* not with that step; fails the test unless all went as written */
/* Another VM, from an open function to a running TDI, and its death. */
void life_whole(void);
void life_rewind(void);			/* the VMM dies; back to the first step after connect */

/*
 * Nothing leaked, mapped, locked or quarantined, and the image is sound; else the test fails, says what
 * was done, and shows the trace from shortly before event `at` on.
 */
void life_assert_clean(const char *what, uint64_t at);

struct flow_action life_action(enum flow_actor actor, const char *verb);
void life_action_arg(struct flow_action *action, const char *key, const char *value);

#endif
