/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.1: instructions on memory that traps do what they do on memory that is there. The CPU is the
 * judge: each runs once on ordinary memory and once on a page without access, and registers, flags
 * and memory must come out the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "shim/x86.h"

#define SIZE 256u

static uint8_t backing[SIZE];	/* what is behind the page without access */
static uint8_t *page;
static unsigned int accesses;

static int memory(void *arg, uint64_t address, void *data, size_t len, bool write)
{
	uint8_t *at = (uint8_t *)(uintptr_t)address;

	(void)arg;
	if (at >= page && at + len <= page + SIZE) {
		at = backing + (at - page);
		accesses++;
	}
	memcpy(write ? (void *)at : data, write ? data : (void *)at, len);
	return 0;
}

static void fault(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	if (x86_run(context, memory, NULL))
		signal(SIGSEGV, SIG_DFL);
}

struct result {
	uint64_t a, c, d, flags, to, from, count;
	uint8_t vector[64];
	uint8_t bytes[SIZE];
};

/* rax, rcx, rdx and xmm1 have something in them, rdi is the memory, rsi a buffer with the same. */
#define CASE(name, text)                                                                           \
	static void name(uint8_t *at, uint8_t *buffer, struct result *r)                           \
	{                                                                                          \
		uint64_t a = 0x8877665544332211, c = 5, d = 0xfedcba9876543210, flags = 0;         \
		uint8_t *to = at, *from = buffer;                                                  \
		__asm__ volatile("vmovdqu (%%rsi), %%ymm1\n\tvmovdqu (%%rsi), %%ymm2\n\t"          \
				 "cmp %%r9, %%r9\n\t" /* flags are the same before it */          \
				 text "\n\t"                                                      \
				 "mov %%rax, %%r9\n\tlahf\n\tseto %%al\n\t"                     \
				 "mov %%rax, %5\n\tmov %%r9, %%rax\n\t"                          \
				 "vmovdqu %%ymm1, %6"                                              \
				 : "+a"(a), "+c"(c), "+d"(d), "+D"(to), "+S"(from), "=m"(flags),   \
				 "=m"(*(uint8_t(*)[32])r->vector)                                  \
				 :                                                                 \
				 : "r9", "xmm1", "xmm2", "memory", "cc");                          \
		r->a = a;                                                                          \
		r->c = c;                                                                          \
		r->d = d;                                                                          \
		r->flags = flags & 0xd501;                                                         \
		r->to = (uint64_t)(to - at);                                                       \
		r->from = (uint64_t)(from - buffer);                                               \
	}

#define CASES(x)                                                                                   \
	x(store_8, "mov %%al, 3(%%rdi)") x(store_ah, "mov %%ah, 3(%%rdi)")                         \
	x(store_16, "mov %%dx, 6(%%rdi)") x(store_32, "mov %%edx, (%%rdi,%%rcx,4)")                \
	x(store_64, "mov %%rdx, 8(%%rdi,%%rcx,8)") x(store_far, "mov %%rdx, 0x80(%%rdi)")          \
	x(load_8, "mov 9(%%rdi), %%dl") x(load_dh, "mov 9(%%rdi), %%dh")                           \
	x(load_16, "mov 8(%%rdi), %%dx") x(load_32, "mov 8(%%rdi), %%edx")                         \
	x(load_64, "mov 16(%%rdi), %%rdx") x(load_r9, "mov 16(%%rdi), %%r9\n\tmov %%r9, %%rdx")    \
	x(zero_8_32, "movzbl 7(%%rdi), %%edx") x(zero_16_64, "movzwl 6(%%rdi), %%edx")             \
	x(sign_8_32, "movsbl 0x81(%%rdi), %%edx") x(sign_16_64, "movswq 0x86(%%rdi), %%rdx")       \
	x(sign_32_64, "movslq 0x84(%%rdi), %%rdx") x(sign_8_16, "movsbw 0x81(%%rdi), %%dx")        \
	x(immediate_8, "movb $0x5a, 1(%%rdi)") x(immediate_16, "movw $0x1234, 2(%%rdi)")           \
	x(immediate_32, "movl $0x87654321, 4(%%rdi)")                                              \
	x(immediate_64, "movq $0xffffffff87654321, 8(%%rdi)")                                      \
	x(copy_in, "rep movsb") x(copy_in_8, "rep movsq") x(copy_one, "movsl")                     \
	x(copy_down, "add $32, %%rdi\n\tadd $32, %%rsi\n\tstd\n\trep movsw\n\tcld")                \
	x(fill, "rep stosb") x(fill_4, "rep stosl") x(fill_one, "stosq")                           \
	x(copy_out, "xchg %%rsi, %%rdi\n\trep movsb\n\txchg %%rsi, %%rdi")                         \
	x(or_32, "orl $0x80, 4(%%rdi)") x(and_8, "andb $0xf0, 4(%%rdi)")                           \
	x(and_short, "andl $-16, 4(%%rdi)") x(add_reg, "add %%rdx, 8(%%rdi)")                      \
	x(sub_16, "sub %%ax, 8(%%rdi)") x(xor_8, "xor %%al, 8(%%rdi)")                             \
	x(cmp_equal, "mov 8(%%rsi), %%eax\n\tcmp %%eax, 8(%%rdi)")                                 \
	x(cmp_less, "cmpl $0x7fffffff, 0x88(%%rdi)") x(test_8, "testb $0x10, 0x91(%%rdi)")         \
	x(test_reg, "test %%edx, 8(%%rdi)") x(add_from, "add 8(%%rdi), %%rdx")                     \
	x(cmp_from, "cmp 8(%%rdi), %%edx") x(or_from_8, "or 8(%%rdi), %%dl")                       \
	x(nontemporal, "movnti %%rdx, 8(%%rdi)") x(sse_store, "movups %%xmm1, 5(%%rdi)")           \
	x(sse_load, "movdqu 3(%%rdi), %%xmm1") x(sse_aligned, "movaps 32(%%rdi), %%xmm1")          \
	x(sse_stream, "movntdq %%xmm1, 48(%%rdi)") x(sse_64, "movq 8(%%rdi), %%xmm1")              \
	x(sse_64_store, "movq %%xmm1, 9(%%rdi)") x(sse_32, "movd 8(%%rdi), %%xmm1")                \
	x(sse_double, "movsd 8(%%rdi), %%xmm1") x(avx_load, "vmovdqu 7(%%rdi), %%ymm1")            \
	x(avx_store, "vmovdqu %%ymm2, 70(%%rdi)") x(avx_128, "vmovdqu 7(%%rdi), %%xmm1")           \
	x(avx_stream, "vmovntdq %%ymm1, 64(%%rdi)") x(avx_float, "vmovups 64(%%rdi), %%ymm1")

#define CASE_OF(name, text) CASE(name, text)
CASES(CASE_OF)

#define ROW(name, text) {#name, name},
static const struct {
	const char *name;
	void (*run)(uint8_t *at, uint8_t *buffer, struct result *r);
} cases[] = {CASES(ROW)};

static void pattern(uint8_t *bytes, uint8_t seed)
{
	for (unsigned int i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + seed);
}

static void R6_1_an_instruction_on_registers_does_what_it_does_on_memory(void **state)
{
	struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;
	static uint8_t plain[SIZE] __attribute__((aligned(64))), buffer[SIZE];

	(void)state;
	sigaction(SIGSEGV, &action, &old);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result want = {0}, got = {0};

		pattern(plain, 1);
		pattern(backing, 1);
		pattern(buffer, 99);
		cases[i].run(plain, buffer, &want);
		memcpy(want.bytes, plain, SIZE);
		memcpy(plain, buffer, SIZE);	/* what was copied out */
		pattern(buffer, 99);
		accesses = 0;
		cases[i].run(page, buffer, &got);
		memcpy(got.bytes, backing, SIZE);
		if (memcmp(&want, &got, sizeof(got)) || memcmp(plain, buffer, SIZE) || !accesses)
			fail_msg("%s differs, after %u accesses", cases[i].name, accesses);
	}
	sigaction(SIGSEGV, &old, NULL);
}

static void what_no_compiler_uses_is_said_to_be_unknown(void **state)
{
	static const uint8_t code[][4] = {
		{0x0f, 0xb1, 0x0f},	/* CMPXCHG [rdi], ecx */
		{0xd9, 0x07},		/* FLD [rdi] */
		{0x64, 0x8b, 0x07},	/* through FS */
		{0x89, 0xc8},		/* no memory at all */
	};
	ucontext_t context;

	(void)state;
	getcontext(&context);
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
		greg_t rip = (greg_t)(uintptr_t)code[i];

		context.uc_mcontext.gregs[REG_RIP] = rip;
		context.uc_mcontext.gregs[REG_RDI] = (greg_t)(uintptr_t)page;
		assert_int_equal(x86_run(&context, memory, NULL), -ENOSYS);
		assert_int_equal(context.uc_mcontext.gregs[REG_RIP], rip);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(R6_1_an_instruction_on_registers_does_what_it_does_on_memory),
		cmocka_unit_test(what_no_compiler_uses_is_said_to_be_unknown),
	};
	if (!__builtin_cpu_supports("avx"))
		return 77;
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
