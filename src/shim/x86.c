/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions by which programs reach device memory (Intel SDM volume 2): moves of every width
 * between registers and memory, string moves, vector moves, and the arithmetic that compilers fold
 * into a memory operand. What else there is, no compiler uses on memory of a device.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "shim/x86.h"

enum map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

struct instruction {
	const uint8_t *start, *at;	/* where it begins, and what is read next */
	bool operand16, repeat, repeat_not;
	bool vex;			/* VEX or EVEX: vector registers are cleared above */
	bool evex, masked;
	uint8_t rex;			/* W 8, R 4, X 2, B 1 */
	uint8_t high;			/* EVEX: bit 4 of the register's number, as 16 */
	uint8_t segment;		/* 0x64, 0x65: FS or GS, whose base we do not know */
	bool address32;
	uint8_t map, opcode, modrm;
	size_t vector;			/* bytes of a VEX or EVEX operand */
	uint8_t immediate;		/* bytes behind the operand, which RIP addressing counts from */
	uint64_t address;
};

struct machine {
	ucontext_t *context;
	x86_memory *memory;
	void *arg;
};

/* -- registers --------------------------------------------------------------------------------- */

static greg_t *reg_of(const struct machine *m, unsigned int number)
{
	static const uint8_t order[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
		REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14,
		REG_R15};

	return &m->context->uc_mcontext.gregs[order[number & 15]];
}

static unsigned int modrm_reg(const struct instruction *in)
{
	return (in->modrm >> 3 & 7u) | (in->rex & 4 ? 8u : 0);
}

/* Without REX, byte registers 4..7 are AH, CH, DH and BH. */
static bool is_high_byte(const struct instruction *in, unsigned int number, size_t size)
{
	return size == 1 && !in->rex && number >= 4 && number < 8;
}

static uint64_t reg_get(const struct machine *m, const struct instruction *in, unsigned int number,
	size_t size)
{
	uint64_t value;

	if (is_high_byte(in, number, size))
		return (uint64_t)*reg_of(m, number - 4) >> 8 & 0xff;
	value = (uint64_t)*reg_of(m, number);
	return size < 8 ? value & ((1ull << 8 * size) - 1) : value;
}

/* A 32-bit result clears the upper half, narrower ones leave the rest. */
static void reg_set(const struct machine *m, const struct instruction *in, unsigned int number,
	size_t size, uint64_t value)
{
	greg_t *reg = reg_of(m, number);
	uint64_t mask = size < 8 ? (1ull << 8 * size) - 1 : UINT64_MAX;

	if (is_high_byte(in, number, size)) {
		reg = reg_of(m, number - 4);
		*reg = (greg_t)(((uint64_t)*reg & ~0xff00ull) | (value & 0xff) << 8);
	} else if (size == 4) {
		*reg = (greg_t)(uint32_t)value;
	} else {
		*reg = (greg_t)(((uint64_t)*reg & ~mask) | (value & mask));
	}
}

static size_t operand_size(const struct instruction *in)
{
	return in->rex & 8 ? 8 : in->operand16 ? 2 : 4;
}

static int load(const struct machine *m, uint64_t address, uint64_t *value, size_t size)
{
	*value = 0;
	return m->memory(m->arg, address, value, size, false);
}

static int store(const struct machine *m, uint64_t address, uint64_t value, size_t size)
{
	return m->memory(m->arg, address, &value, size, true);
}

/* -- decoding ---------------------------------------------------------------------------------- */

static uint64_t fetch(struct instruction *in, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, in->at, len);
	in->at += len;
	return value;
}

static uint64_t fetch_signed(struct instruction *in, size_t len)
{
	unsigned int shift = 64 - 8 * (unsigned int)len;

	return (uint64_t)((int64_t)(fetch(in, len) << shift) >> shift);
}

static void prefixes(struct instruction *in)
{
	for (;; in->at++)
		switch (*in->at) {
		case 0x66: in->operand16 = true; break;
		case 0xf2: in->repeat_not = true; break;
		case 0xf3: in->repeat = true; break;
		case 0x67: in->address32 = true; break;
		case 0x64: case 0x65: in->segment = *in->at; break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0xf0: break;
		default: return;
		}
}

/* The prefix that a VEX or EVEX byte names instead of having it. */
static void implied(struct instruction *in, unsigned int pp)
{
	in->operand16 = pp == 1;
	in->repeat = pp == 2;
	in->repeat_not = pp == 3;
}

static void vex(struct instruction *in)
{
	bool two = *in->at++ == 0xc5;
	uint8_t first = two ? 0 : *in->at++, last = *in->at++;

	in->vex = true;
	if (two) {
		in->rex = last & 0x80 ? 0 : 4;
		in->map = MAP_0F;
	} else {
		in->rex = (uint8_t)((~first >> 5 & 7) | (last >> 7 << 3));
		in->map = first & 0x1f;
	}
	in->vector = last & 4 ? 32 : 16;
	implied(in, last & 3);
	in->opcode = *in->at++;
}

static void evex(struct instruction *in)
{
	uint8_t p0 = in->at[1], p1 = in->at[2], p2 = in->at[3];

	in->at += 4;
	in->vex = in->evex = true;
	in->rex = (uint8_t)((~p0 >> 5 & 7) | (p1 >> 7 << 3));
	in->high = p0 & 0x10 ? 0 : 16;
	in->map = p0 & 7;
	in->vector = (size_t)16 << (p2 >> 5 & 3);
	in->masked = p2 & 7;
	implied(in, p1 & 3);
	in->opcode = *in->at++;
}

static void opcode(struct instruction *in)
{
	prefixes(in);
	if (*in->at == 0xc4 || *in->at == 0xc5) {
		vex(in);
		return;
	}
	if (*in->at == 0x62) {
		evex(in);
		return;
	}
	if ((*in->at & 0xf0) == 0x40)
		in->rex = 0x40 | (*in->at++ & 0xf);
	in->opcode = *in->at++;
	if (in->opcode != 0x0f)
		return;
	in->map = MAP_0F;
	in->opcode = *in->at++;
	if (in->opcode != 0x38)
		return;
	in->map = MAP_0F38;
	in->opcode = *in->at++;
}

static uint64_t sib(const struct machine *m, struct instruction *in, unsigned int mod)
{
	uint8_t byte = *in->at++;
	unsigned int index = (byte >> 3 & 7u) | (in->rex & 2 ? 8u : 0);
	unsigned int base = (byte & 7u) | (in->rex & 1 ? 8u : 0);
	uint64_t address = 0;

	if (index != 4)
		address = (uint64_t)*reg_of(m, index) << (byte >> 6);
	if ((base & 7) == 5 && !mod)
		return address + fetch_signed(in, 4);
	return address + (uint64_t)*reg_of(m, base);
}

/* EVEX counts an 8-bit displacement in operands. Every form we know has whole vectors. */
static uint64_t displacement(struct instruction *in, unsigned int mod)
{
	if (mod == 1)
		return fetch_signed(in, 1) * (in->evex ? in->vector : 1);
	return mod == 2 ? fetch_signed(in, 4) : 0;
}

/* The memory operand; false: it is a register. Immediates must be known, for RIP counts from the
 * end of the instruction. */
static bool operand(const struct machine *m, struct instruction *in)
{
	unsigned int mod, rm;

	in->modrm = *in->at++;
	mod = in->modrm >> 6;
	rm = in->modrm & 7;
	if (mod == 3)
		return false;
	if (rm == 4)
		in->address = sib(m, in, mod);
	else if (rm == 5 && !mod)
		in->address = fetch_signed(in, 4) + (uint64_t)(uintptr_t)in->at + in->immediate;
	else
		in->address = (uint64_t)*reg_of(m, rm | (in->rex & 1 ? 8u : 0));
	in->address += displacement(in, mod);
	if (in->address32)
		in->address &= UINT32_MAX;
	return !in->segment;
}

/* -- moves ------------------------------------------------------------------------------------- */

static int move_load(const struct machine *m, struct instruction *in, size_t from, size_t to,
	bool is_signed)
{
	unsigned int shift = 64 - 8 * (unsigned int)from;
	uint64_t value;
	int rc;

	if (!operand(m, in))
		return -ENOSYS;
	rc = load(m, in->address, &value, from);
	if (!rc && is_signed)
		value = (uint64_t)((int64_t)(value << shift) >> shift);
	if (!rc)
		reg_set(m, in, modrm_reg(in), to, value);
	return rc;
}

static int move_store(const struct machine *m, struct instruction *in, size_t size)
{
	if (!operand(m, in))
		return -ENOSYS;
	return store(m, in->address, reg_get(m, in, modrm_reg(in), size), size);
}

static int move_immediate(const struct machine *m, struct instruction *in, size_t size)
{
	in->immediate = (uint8_t)(size == 8 ? 4 : size);
	if (!operand(m, in) || in->modrm & 0x38)
		return -ENOSYS;
	return store(m, in->address, fetch_signed(in, in->immediate), size);
}

/* MOVS and STOS. A repeated one begins anew wherever it was stopped, as on a CPU. */
static int string(const struct machine *m, struct instruction *in, size_t size, bool moves)
{
	greg_t *count = reg_of(m, 1), *from = reg_of(m, 6), *to = reg_of(m, 7);
	bool down = m->context->uc_mcontext.gregs[REG_EFL] & 0x400;
	greg_t step = down ? -(greg_t)size : (greg_t)size;
	uint64_t value = (uint64_t)*reg_of(m, 0);

	if (in->segment || in->address32)
		return -ENOSYS;
	for (bool rep = in->repeat || in->repeat_not; !rep || *count; *count -= rep) {
		int rc = moves ? load(m, (uint64_t)*from, &value, size) : 0;

		if (!rc)
			rc = store(m, (uint64_t)*to, value, size);
		if (rc)
			return rc;
		*to += step;
		*from += moves ? step : 0;
		if (!rep)
			break;
	}
	return 0;
}

/* -- arithmetic -------------------------------------------------------------------------------- */

enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST };
#define FLAGS 0x8d5u			/* OF SF ZF AF PF CF */

/* The CPU's own instruction gives the result and the flags: LAHF has them but OF in AH. */
#define ALU_CASE(code, name) \
	case code: \
		__asm__(name " %2, %0\n\tlahf\n\tseto %%al" : "+r"(a), "=&a"(ax) : "r"(b) : "cc"); \
		break;
#define ALU_WIDTH(type) \
	static uint64_t alu_##type(enum alu op, uint64_t old, uint64_t with, uint64_t *flags) \
	{ \
		type a = (type)old, b = (type)with; \
		uint64_t ax = 0; \
		switch (op) { \
			ALU_CASE(ALU_ADD, "add") \
			ALU_CASE(ALU_OR, "or") \
			ALU_CASE(ALU_AND, "and") \
			ALU_CASE(ALU_SUB, "sub") \
			ALU_CASE(ALU_XOR, "xor") \
			ALU_CASE(ALU_CMP, "cmp") \
			ALU_CASE(ALU_TEST, "test") \
		default: \
			break; \
		} \
		*flags = (ax >> 8 & 0xd5) | (ax & 1) << 11; \
		return a; \
	}
ALU_WIDTH(uint8_t)
ALU_WIDTH(uint16_t)
ALU_WIDTH(uint32_t)
ALU_WIDTH(uint64_t)

static uint64_t alu(const struct machine *m, enum alu op, size_t size, uint64_t a, uint64_t b)
{
	greg_t *eflags = &m->context->uc_mcontext.gregs[REG_EFL];
	uint64_t flags, result;

	if (size == 1)
		result = alu_uint8_t(op, a, b, &flags);
	else if (size == 2)
		result = alu_uint16_t(op, a, b, &flags);
	else if (size == 4)
		result = alu_uint32_t(op, a, b, &flags);
	else
		result = alu_uint64_t(op, a, b, &flags);
	*eflags = (greg_t)(((uint64_t)*eflags & ~(uint64_t)FLAGS) | flags);
	return result;
}

static bool alu_known(enum alu op)
{
	return op != ALU_ADC && op != ALU_SBB;
}

/* Memory op= register or immediate; CMP and TEST only look. */
static int alu_memory(const struct machine *m, const struct instruction *in, enum alu op,
	size_t size, uint64_t with)
{
	uint64_t value;
	int rc = alu_known(op) ? load(m, in->address, &value, size) : -ENOSYS;

	if (rc)
		return rc;
	value = alu(m, op, size, value, with);
	return op == ALU_CMP || op == ALU_TEST ? 0 : store(m, in->address, value, size);
}

static int alu_register(const struct machine *m, struct instruction *in, enum alu op, size_t size)
{
	unsigned int reg;
	uint64_t value;
	int rc;

	if (!operand(m, in) || !alu_known(op))
		return -ENOSYS;
	rc = load(m, in->address, &value, size);
	if (rc)
		return rc;
	reg = modrm_reg(in);
	value = alu(m, op, size, reg_get(m, in, reg, size), value);
	if (op != ALU_CMP)
		reg_set(m, in, reg, size, value);
	return 0;
}

/* 80, 81, 83: the operation is in ModRM; F6, F7 /0 is TEST. */
static int alu_immediate(const struct machine *m, struct instruction *in)
{
	bool test = in->opcode >= 0xf6;
	size_t size = in->opcode & 1 ? operand_size(in) : 1;
	uint64_t with;

	in->immediate = (uint8_t)(in->opcode == 0x83 || size == 1 ? 1 : size == 2 ? 2 : 4);
	if (!operand(m, in) || (test && in->modrm & 0x38))
		return -ENOSYS;
	with = fetch_signed(in, in->immediate);
	return alu_memory(m, in, test ? ALU_TEST : (enum alu)(in->modrm >> 3 & 7), size, with);
}

static int alu_any(const struct machine *m, struct instruction *in)
{
	enum alu op = (enum alu)(in->opcode >> 3);
	size_t size = in->opcode & 1 ? operand_size(in) : 1;

	if (in->opcode & 2)
		return alu_register(m, in, op, size);
	if (!operand(m, in))
		return -ENOSYS;
	return alu_memory(m, in, op, size, reg_get(m, in, modrm_reg(in), size));
}

/* -- vectors ----------------------------------------------------------------------------------- */

static int vector_move(const struct machine *m, struct instruction *in, size_t size, bool write)
{
	uint8_t bytes[64];
	unsigned int reg;
	int rc;

	if (!operand(m, in) || in->masked || size > sizeof(bytes))
		return -ENOSYS;
	reg = modrm_reg(in) | in->high;
	if (write) {
		x86_vector_get(m->context, reg, bytes, size);
		return m->memory(m->arg, in->address, bytes, size, true);
	}
	rc = m->memory(m->arg, in->address, bytes, size, false);
	if (!rc)
		x86_vector_set(m->context, reg, bytes, size, in->vex);
	return rc;
}

/* Prefix 0: none, 0x66, 0xf2, 0xf3; size 0: a whole vector, 1: by REX.W 8 or 4. */
static const struct vector_row { uint8_t opcode, prefix, size; bool write; } vector_rows[] = {
	{0x10, 0, 0, false}, {0x11, 0, 0, true}, {0x10, 0x66, 0, false}, {0x11, 0x66, 0, true},
	{0x10, 0xf3, 4, false}, {0x11, 0xf3, 4, true}, {0x10, 0xf2, 8, false}, {0x11, 0xf2, 8, true},
	{0x28, 0, 0, false}, {0x29, 0, 0, true}, {0x28, 0x66, 0, false}, {0x29, 0x66, 0, true},
	{0x2b, 0, 0, true}, {0x2b, 0x66, 0, true}, {0x6e, 0x66, 1, false}, {0x7e, 0x66, 1, true},
	{0x6f, 0x66, 0, false}, {0x7f, 0x66, 0, true}, {0x6f, 0xf3, 0, false}, {0x7f, 0xf3, 0, true},
	{0x6f, 0xf2, 0, false}, {0x7f, 0xf2, 0, true}, {0x7e, 0xf3, 8, false}, {0xd6, 0x66, 8, true},
	{0xe7, 0x66, 0, true}, {0xf0, 0xf2, 0, false},
};

static int vector(const struct machine *m, struct instruction *in)
{
	uint8_t prefix = in->operand16 ? 0x66 : in->repeat ? 0xf3 : in->repeat_not ? 0xf2 : 0;
	size_t whole = in->vex ? in->vector : 16;

	for (size_t i = 0; i < sizeof(vector_rows) / sizeof(vector_rows[0]); i++) {
		const struct vector_row *row = &vector_rows[i];
		size_t size = row->size > 1 ? row->size : in->rex & 8 ? 8 : 4;

		if (row->opcode == in->opcode && row->prefix == prefix)
			return vector_move(m, in, row->size ? size : whole, row->write);
	}
	return -ENOSYS;
}

/* -- which one is it --------------------------------------------------------------------------- */

static int run_0f(const struct machine *m, struct instruction *in)
{
	size_t size = operand_size(in);

	if (in->vex)
		return vector(m, in);
	switch (in->opcode) {
	case 0xb6: return move_load(m, in, 1, size, false);
	case 0xb7: return move_load(m, in, 2, size, false);
	case 0xbe: return move_load(m, in, 1, size, true);
	case 0xbf: return move_load(m, in, 2, size, true);
	case 0xc3: return move_store(m, in, size);	/* MOVNTI */
	default: return vector(m, in);
	}
}

/* MOVDIR64B: 64 bytes from memory to where the register says, as one write. MOVDIRI: a store. */
static int run_0f38(const struct machine *m, struct instruction *in)
{
	uint8_t bytes[64];
	int rc;

	if (in->vex || !operand(m, in))
		return -ENOSYS;
	if (in->opcode == 0xf9)
		return store(m, in->address, reg_get(m, in, modrm_reg(in), operand_size(in)),
			operand_size(in));
	if (in->opcode != 0xf8 || !in->operand16)
		return -ENOSYS;
	rc = m->memory(m->arg, in->address, bytes, sizeof(bytes), false);
	return rc ? rc
		  : m->memory(m->arg, (uint64_t)*reg_of(m, modrm_reg(in)), bytes, sizeof(bytes),
			    true);
}

static int run_one(const struct machine *m, struct instruction *in)
{
	size_t size = in->opcode & 1 ? operand_size(in) : 1;

	switch (in->opcode) {
	case 0x88: case 0x89: return move_store(m, in, size);
	case 0x8a: case 0x8b: return move_load(m, in, size, size, false);
	case 0xc6: case 0xc7: return move_immediate(m, in, size);
	case 0x63: return move_load(m, in, 4, operand_size(in), true);
	case 0xa4: case 0xa5: return string(m, in, size, true);
	case 0xaa: case 0xab: return string(m, in, size, false);
	case 0x80: case 0x81: case 0x83: case 0xf6: case 0xf7: return alu_immediate(m, in);
	case 0x84: case 0x85:
		return operand(m, in) ? alu_memory(m, in, ALU_TEST, size,
						reg_get(m, in, modrm_reg(in), size))
				      : -ENOSYS;
	default: return in->opcode < 0x40 && (in->opcode & 7) < 4 ? alu_any(m, in) : -ENOSYS;
	}
}

int x86_run(ucontext_t *context, x86_memory *memory, void *arg)
{
	const struct machine m = {context, memory, arg};
	greg_t *rip = &context->uc_mcontext.gregs[REG_RIP];
	struct instruction in = {.start = (const uint8_t *)(uintptr_t)*rip};
	int rc;

	in.at = in.start;
	opcode(&in);
	if (in.map == MAP_ONE)
		rc = run_one(&m, &in);
	else if (in.map == MAP_0F)
		rc = run_0f(&m, &in);
	else
		rc = in.map == MAP_0F38 ? run_0f38(&m, &in) : -ENOSYS;
	if (!rc)
		*rip += in.at - in.start;
	return rc;
}
