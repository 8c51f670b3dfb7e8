/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow text to steps and actions. The text is hostile input: every word is bounded, every number
 * checked, and an error names its line and says what was expected. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/machine.h"
#include "flow/parse.h"
#include "image/mutant.h"
#include "kernel/kernel.h"

#define WORDS 32u
#define DEPTH 4u			/* of includes in includes */

struct source {				/* one file on its way through the parser */
	uint32_t from, through;		/* the first and the last step wanted; 0: all */
	bool before;			/* in a step before the first */
	bool ended;			/* a later step began */
	uint8_t phase;			/* of the steps to come */
	uint8_t file;			/* of program->file */
	unsigned int depth;
	char path[FLOW_PATH];
};

struct line {
	struct flow_program *program;
	struct flow_error *error;
	const struct flow_tree *tree;
	struct source *source;
	uint32_t number;
	unsigned int words;
	char word[WORDS][FLOW_TEXT + FLOW_WORD];
	bool quoted[WORDS];
};

static const char *const actor_names[FLOW_ACTORS] = { "admin", "vmm", "guest", "adversary",
	"probe" };

static const char *const phase_names[PHASE_MAX + 1] = {
	[PHASE_NONE] = "",
	[PHASE_CONNECT] = "connect",
	[PHASE_SETUP] = "set up",
	[PHASE_SHARED] = "run shared",
	[PHASE_BIND] = "bind",
	[PHASE_ATTEST] = "attest",
	[PHASE_ACCEPT] = "accept",
	[PHASE_START] = "start",
	[PHASE_WORK] = "work",
	[PHASE_UNBIND] = "unbind",
	[PHASE_SHARED_AGAIN] = "shared again",
	[PHASE_END] = "end",
};

const char *flow_phase_name(uint8_t phase)
{
	return phase < PHASE_MAX ? phase_names[phase] : "?";
}

const char *flow_actor_name(uint8_t actor)
{
	return actor < FLOW_ACTORS ? actor_names[actor] : "?";
}

__attribute__((format(printf, 2, 3)))
static int fail(struct line *line, const char *format, ...)
{
	va_list args;

	line->error->line = line->number;
	snprintf(line->error->file, sizeof(line->error->file), "%s",
		 line->program->file[line->source->file].name);
	va_start(args, format);
	vsnprintf(line->error->text, sizeof(line->error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* -- words ------------------------------------------------------------------------------------ */

static int split_word(struct line *line, const char **at)
{
	char *to = line->word[line->words];
	size_t room = sizeof(line->word[0]) - 1, n = 0;
	bool quotes = false;
	const char *p = *at;

	line->quoted[line->words] = *p == '"';
	for (; *p && *p != '\n' && (quotes || !isspace((unsigned char)*p)); p++) {
		if (*p == '"') {
			quotes = !quotes;
			continue;
		}
		if (n == room)
			return fail(line, "a word is longer than %zu characters", room);
		to[n++] = *p;
	}
	if (quotes)
		return fail(line, "a quotation is not closed on its line");
	to[n] = '\0';
	line->words++;
	*at = p;
	return 0;
}

static int split(struct line *line, const char *text)
{
	line->words = 0;
	while (*text && *text != '\n') {
		int rc;

		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		if (*text == '#')
			break;
		if (line->words == WORDS)
			return fail(line, "more than %u words on a line", WORDS);
		rc = split_word(line, &text);
		if (rc)
			return rc;
	}
	return 0;
}

int flow_number(const char *text, uint64_t *value)
{
	unsigned int segment, bus, dev, fn;
	char *end;
	int used = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &segment, &bus, &dev, &fn, &used) == 4 &&
		!text[used]) {
		*value = (uint64_t)(segment << 16 | bus << 8 | (dev & 31) << 3 | (fn & 7));
		return 0;
	}
	if (sscanf(text, "%2x:%2x.%1x%n", &bus, &dev, &fn, &used) == 3 && !text[used]) {
		*value = bus << 8 | (dev & 31) << 3 | (fn & 7);
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno)
		return -ERANGE;
	if (*end == 'K' || *end == 'M' || *end == 'G') {
		unsigned int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30;

		if (*value >> (64 - shift))
			return -ERANGE;
		*value <<= shift;
		end++;
	}
	return *end ? -EINVAL : 0;
}

static int errno_by_name(const char *name)
{
	for (int e = 1; e < 134; e++) {
		const char *known = strerrorname_np(e);

		if (known && !strcmp(known, name))
			return e;
	}
	return -EINVAL;
}

/* -- head of a flow ---------------------------------------------------------------------------- */

int flow_mutant_find(const char *name, struct mutant_set *set)
{
	static const char *const names[] = {
#define MUTANT(id, name, sentence) [MUTANT_##id] = name,
#include "image/mutants.def"
#undef MUTANT
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name)) {
			mutant_add(set, (enum mutant)i);
			return 0;
		}
	return -EINVAL;
}

static int choose(struct line *line, const char *const *names, uint8_t *value)
{
	for (uint8_t i = 0; names[i]; i++)
		if (line->words > 1 && !strcmp(names[i], line->word[1])) {
			*value = i;
			return 0;
		}
	return fail(line, "%s: '%s' is none of the choices; the first is '%s'", line->word[0],
		line->words > 1 ? line->word[1] : "", names[0]);
}

static int parse_platform(struct line *line, const char *name, struct flow_settings *settings)
{
	if (!*name || machine_platform_find(name) < 0)
		return fail(line, "platform: there is no machine '%s'", name);
	snprintf(settings->platform, sizeof(settings->platform), "%s", name);
	return 0;
}

static int parse_uapi(struct line *line, const char *name, struct flow_settings *settings)
{
	int uapi = tsm_uapi_find(name);

	if (uapi < 0)
		return fail(line, "uapi: no proposal is called '%s'", name);
	settings->uapi = (uint8_t)uapi;
	return 0;
}

/* 1: a setting, taken; 0: not a setting. */
static int parse_setting(struct line *line)
{
	static const char *const policies[] = { "blocked", "breaks", NULL };
	static const char *const septs[] = { "while-bound", "always-mapped", NULL };
	/* What an included flow says about the machine is checked, and then the including one decides. */
	struct flow_settings other = { 0 },
			     *settings = line->source->depth ? &other : &line->program->settings;
	const char *name = line->word[0], *value = line->words > 1 ? line->word[1] : "";
	int rc = 0;

	if (!strcmp(name, "flow"))
		snprintf(settings->title, sizeof(settings->title), "%s", value);
	else if (!strcmp(name, "platform"))
		rc = parse_platform(line, value, settings);
	else if (!strcmp(name, "seed"))
		rc = flow_number(value, &settings->seed)
			     ? fail(line, "seed: '%s' is not a number", value)
			     : 0;
	else if (!strcmp(name, "policy"))
		rc = choose(line, policies, &settings->policy);
	else if (!strcmp(name, "sept"))
		rc = choose(line, septs, &settings->sept);
	else if (!strcmp(name, "uapi"))
		rc = parse_uapi(line, value, settings);
	else if (!strcmp(name, "private-for-life"))
		settings->private_for_life = true;
	else if (!strcmp(name, "mutant"))
		rc = flow_mutant_find(value, &settings->mutants)
			     ? fail(line, "no mutant is called '%s'", value)
			     : 0;
	else
		return 0;
	return rc ? rc : 1;
}

static int parse_phase(struct line *line)
{
	uint8_t after_none = 0;
	int rc = choose(line, phase_names + PHASE_CONNECT, &after_none);

	line->source->phase = (uint8_t)(after_none + PHASE_CONNECT);
	return rc;
}

static int parse_step(struct line *line)
{
	struct flow_program *program = line->program;
	struct flow_step *step;
	uint64_t number;

	if (line->words < 2 || flow_number(line->word[1], &number) || !number || number > 100000)
		return fail(line, "step: a number from 1 is wanted, then a title");
	line->source->ended = line->source->through && number > line->source->through;
	line->source->before = number < line->source->from;
	if (line->source->ended || line->source->before)
		return 0;
	if (program->steps == FLOW_STEPS_MAX)
		return fail(line, "more than %u steps", FLOW_STEPS_MAX);
	if (program->steps && program->step[program->steps - 1].number >= number)
		return fail(line, "step %lu comes after step %u: numbers go up",
			(unsigned long)number, program->step[program->steps - 1].number);
	step = &program->step[program->steps++];
	step->number = (uint32_t)number;
	step->first = program->actions;
	step->phase = line->source->phase;
	snprintf(step->title, sizeof(step->title), "%s", line->words > 2 ? line->word[2] : "");
	return 0;
}

/* -- actions ----------------------------------------------------------------------------------- */

static int parse_actor(struct line *line, const char *word, struct flow_action *action)
{
	for (unsigned int i = 0; i < FLOW_ACTORS; i++) {
		size_t n = strlen(actor_names[i]);

		if (strncmp(word, actor_names[i], n))
			continue;
		if (word[n] == '2' && !word[n + 1])
			action->instance = 1;
		else if (word[n])
			continue;
		action->actor = (uint8_t)i;
		return 0;
	}
	return fail(line,
		"'%s' is neither a setting nor an actor (admin, vmm, guest, adversary, probe)",
		word);
}

static int parse_during(struct line *line, unsigned int *at, struct flow_action *action)
{
	char *count;

	if (strcmp(line->word[*at], "during"))
		return 0;
	if (*at + 2 >= line->words)
		return fail(line, "during: a wait point and an action are wanted");
	count = strchr(line->word[*at + 1], '#');
	action->during_count = 1;
	if (count) {
		*count++ = '\0';
		action->during_count = (uint16_t)atoi(count);
	}
	for (unsigned int point = 1; point < IMAGE_WAIT_MAX; point++)
		if (!strcmp(image_wait_name(point), line->word[*at + 1]))
			action->during = (uint8_t)point;
	if (!action->during || !action->during_count)
		return fail(line, "during: '%s' is no wait point", line->word[*at + 1]);
	*at += 2;
	return 0;
}

static void parse_expect(const char *word, struct flow_action *action)
{
	uint64_t value;
	int e;

	if (!strcmp(word, "ok")) {
		action->expect = EXPECT_OK;
	} else if (!strcmp(word, "any")) {
		action->expect = EXPECT_ANY;
	} else if (!flow_number(word, &value)) {
		action->expect = EXPECT_VALUE;
		action->expect_value = (int64_t)value;
	} else if ((e = errno_by_name(word)) > 0) {
		action->expect = EXPECT_ERRNO;
		action->expect_value = e;
	} else {
		action->expect = EXPECT_STATUS;
	}
	snprintf(action->expect_text, sizeof(action->expect_text), "%s", word);
}

static int parse_argument(struct line *line, unsigned int at, struct flow_action *action)
{
	struct flow_arg *arg;
	const char *word = line->word[at], *equals;
	size_t key;

	if (action->nargs == FLOW_ARGS)
		return fail(line, "more than %u arguments", FLOW_ARGS);
	arg = &action->args[action->nargs++];
	equals = line->quoted[at] ? NULL : strchr(word, '=');
	key = equals ? (size_t)(equals - word) : 0;
	if (key >= sizeof(arg->key))
		return fail(line, "the name of an argument is longer than %zu characters",
			sizeof(arg->key) - 1);
	memcpy(arg->key, word, key);
	word += key + (equals != NULL);
	if (strlen(word) >= sizeof(arg->value))
		return fail(
			line, "an argument is longer than %zu characters", sizeof(arg->value) - 1);
	strcpy(arg->value, word);
	return 0;
}

static int parse_action_tail(struct line *line, unsigned int at, struct flow_action *action)
{
	int rc = 0;

	for (; at < line->words && !rc; at++) {
		bool more = at + 1 < line->words;

		if (!strcmp(line->word[at], "->") && more)
			snprintf(action->var, sizeof(action->var), "%s", line->word[++at]);
		else if (!strcmp(line->word[at], "=") && more)
			parse_expect(line->word[++at], action);
		else if (!strcmp(line->word[at], "unchanged"))
			action->unchanged = 1;
		else
			rc = parse_argument(line, at, action);
	}
	return rc;
}

static int parse_action(struct line *line)
{
	struct flow_program *program = line->program;
	struct flow_action *action;
	unsigned int at = 0;
	int rc;

	if (program->actions == FLOW_ACTIONS_MAX)
		return fail(line, "more than %u actions", FLOW_ACTIONS_MAX);
	action = &program->action[program->actions];
	memset(action, 0, sizeof(*action));
	action->line = line->number;
	action->file = line->source->file;
	rc = parse_during(line, &at, action);
	if (!rc)
		rc = parse_actor(line, line->word[at++], action);
	if (rc)
		return rc;
	if (!program->steps)
		return fail(line, "an action stands before the first step");
	action->step = program->step[program->steps - 1].number;
	if (at == line->words)
		return fail(line, "the actor has nothing to do: a verb is wanted");
	if (strlen(line->word[at]) >= sizeof(action->verb))
		return fail(line, "'%s' is too long for a verb", line->word[at]);
	strcpy(action->verb, line->word[at++]);
	rc = flow_verb_check(action) ? fail(line, "%s has no verb '%s'; see docs/flow.md",
					    actor_names[action->actor], action->verb) : 0;
	if (!rc)
		rc = parse_action_tail(line, at, action);
	if (rc)
		return rc;
	if (action->during && program->actions == program->step[program->steps - 1].first)
		return fail(line, "during: there is no action before it in its step");
	program->actions++;
	program->step[program->steps - 1].count++;
	return 0;
}

/* -- files ------------------------------------------------------------------------------------- */

static int parse_text(struct line *line, const char *text);

/* `from` and `through`, each with a step, behind the file. */
static bool include_part(const struct line *line, struct source *source)
{
	uint32_t *part;
	uint64_t step;

	for (unsigned int i = 2; i < line->words; i += 2) {
		part = !strcmp(line->word[i], "from")	     ? &source->from
		       : !strcmp(line->word[i], "through") ? &source->through
							     : NULL;
		if (!part || *part || i + 1 == line->words ||
			flow_number(line->word[i + 1], &step) || !step || step > UINT32_MAX)
			return false;
		*part = (uint32_t)step;
	}
	return line->words > 1;
}

static int include_find(struct line *line, struct source *source)
{
	int rc;

	if (!include_part(line, source))
		return fail(line,
			"include: a file is wanted, then 'from' and 'through' with a step each");
	source->depth = line->source->depth + 1;
	if (source->depth > DEPTH)
		return fail(line, "include: more than %u deep", DEPTH);
	if (line->tree->root < 0)
		return fail(line, "include: only a flow that is a file can include another");
	rc = flow_tree_resolve(line->source->path, line->word[1], source->path);
	if (rc)
		return fail(line, "include: '%.80s' %s", line->word[1],
			rc == -EXDEV	? "is outside the flows' folder"
			: rc == -EINVAL ? "is not a relative path"
					: "is too long a path");
	if (line->program->files == FLOW_FILES_MAX)
		return fail(line, "include: more than %u files", FLOW_FILES_MAX - 1);
	source->file = (uint8_t)line->program->files++;
	snprintf(line->program->file[source->file].name, sizeof(line->program->file[0].name), "%s",
		source->path);
	return 0;
}

static bool step_known(const struct flow_program *program, uint32_t first, uint32_t number)
{
	for (uint32_t i = first; i < program->steps; i++)
		if (program->step[i].number == number)
			return true;
	return false;
}

static int parse_include(struct line *line)
{
	struct source source = { 0 }, *outer = line->source;
	uint32_t number = line->number, steps = line->program->steps;
	char *text = NULL;
	int rc = include_find(line, &source);
	const uint32_t wanted[] = { source.from, source.through };

	if (rc)
		return rc;
	rc = flow_tree_read(line->tree, source.path, &text);
	if (rc)
		return fail(line, "include: '%.80s': %s", line->word[1], strerror(-rc));
	line->source = &source;
	rc = parse_text(line, text);
	free(text);
	line->source = outer;
	line->number = number;
	for (unsigned int i = 0; !rc && i < 2; i++)
		if (wanted[i] && !step_known(line->program, steps, wanted[i]))
			rc = fail(line, "include: '%.80s' has no step %u", source.path, wanted[i]);
	return rc;
}

static int parse_line(struct line *line)
{
	int rc;

	if (!strcmp(line->word[0], "step"))
		return parse_step(line);
	if (!strcmp(line->word[0], "include"))
		return parse_include(line);
	if (!strcmp(line->word[0], "phase"))
		return parse_phase(line);
	rc = parse_setting(line);
	if (rc)
		return rc < 0 ? rc : 0;
	return line->source->before ? 0 : parse_action(line);
}

static int parse_text(struct line *line, const char *text)
{
	int rc = 0;

	line->number = 0;
	while (*text && !rc && !line->source->ended) {
		line->number++;
		rc = split(line, text);
		if (!rc && line->words)
			rc = parse_line(line);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return rc;
}

int flow_parse(
	const char *text, const char *path, struct flow_program *program, struct flow_error *error)
{
	struct line *line = calloc(1, sizeof(*line));
	struct source source = { 0 };
	struct flow_tree tree;
	int rc;

	if (!line)
		return -ENOMEM;
	flow_tree_open(path, &tree);
	memcpy(source.path, tree.path, sizeof(source.path));
	line->program = program;
	line->error = error;
	line->tree = &tree;
	line->source = &source;
	program->files = 1;
	rc = parse_text(line, text);
	if (!rc && !program->actions)
		rc = fail(line, "there is no action in it");
	flow_tree_close(&tree);
	free(line);
	return rc;
}
