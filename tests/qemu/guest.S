/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest in one boot sector. It finds the DMA engine by its ids, drives it and says on the debug
 * port (0xe9) what worked: I the id register, B BAR2 keeps what is written, F a fill by DMA, C a
 * copy by DMA, and then a dot; E and it stops at the first that does not.
 */
#define ENGINE_IDS 0x7e101d10	/* device, vendor; device/engine.h */
#define ID_VALUE 0x54494f31
#define STATUS 0x04
#define CONTROL 0x08
#define OP 0x0c
#define SRC 0x10
#define DST 0x18
#define LEN 0x20
#define VECTOR 0x24
#define DONE 0x28
#define OP_COPY 1
#define OP_FILL 5
#define BUFFER 0x100000
#define COPY 0x200000
#define BYTES 0x2000
/* splitmix64, seed 42: its first output */
#define FIRST_LOW 0x2feb6e95
#define FIRST_HIGH 0xbdd73226
	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	outb	%al, $0x92
	lgdt	gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$8, $flat

	.code32
flat:	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x80000000, %ebx	/* every function of every bus */
scan:	xorl	%ecx, %ecx
	call	config
	cmpl	$ENGINE_IDS, %eax
	je	found
	addl	$0x100, %ebx
	cmpl	$0x81000000, %ebx
	jb	scan
	jmp	bad

/* The dword at register %ecx of function %ebx. */
config:	leal	(%ebx, %ecx), %eax
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	inl	%dx, %eax
	ret

found:	movl	$4, %ecx		/* memory decode, bus master */
	call	config
	orl	$6, %eax
	outl	%eax, %dx
	movl	$0x18, %ecx
	call	config
	andl	$~15, %eax
	movl	%eax, %edi		/* BAR2 */
	movl	$0x10, %ecx
	call	config
	andl	$~15, %eax
	movl	%eax, %esi		/* BAR0 */

	cmpl	$ID_VALUE, (%esi)
	jne	bad
	movb	$'I', %al
	outb	%al, $0xe9

	movl	$0x600df00d, 0x1ff0(%edi)
	cmpl	$0x600df00d, 0x1ff0(%edi)
	jne	bad
	movb	$'B', %al
	outb	%al, $0xe9

	movl	$OP_FILL, OP(%esi)
	movl	$42, SRC(%esi)
	movl	$BUFFER, DST(%esi)
	call	run
	cmpl	$FIRST_LOW, BUFFER
	jne	bad
	cmpl	$FIRST_HIGH, BUFFER + 4
	jne	bad
	movb	$'F', %al
	outb	%al, $0xe9

	movl	$OP_COPY, OP(%esi)
	movl	$BUFFER, SRC(%esi)
	movl	$COPY, DST(%esi)
	call	run
	movl	$(BYTES / 4 - 1), %ecx
same:	movl	BUFFER(, %ecx, 4), %eax
	cmpl	%eax, COPY(, %ecx, 4)
	jne	bad
	decl	%ecx
	jns	same
	movb	$'C', %al
	outb	%al, $0xe9
	movb	$'.', %al
end:	outb	%al, $0xe9
stop:	hlt
	jmp	stop
bad:	movb	$'E', %al
	jmp	end

run:	movl	$0, SRC + 4(%esi)
	movl	$0, DST + 4(%esi)
	movl	$BYTES, LEN(%esi)
	movl	$-1, VECTOR(%esi)
	movl	$1, CONTROL(%esi)
busy:	movl	STATUS(%esi), %eax
	testb	$1, %al
	jnz	busy
	testb	$2, %al
	jnz	bad
	cmpl	$BYTES, DONE(%esi)
	jne	bad
	ret

	.balign	8
gdt:	.quad	0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:	.word	. - gdt - 1
	.long	gdt
	.org	510
	.word	0xaa55
	.org	0x100000		/* firmware reads no shorter disk by AHCI */
