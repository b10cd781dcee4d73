// start.S - from reset to main on a Raspberry Pi 3 (QA7 peripherals at 0x3f000000), core 0 alone,
// at EL1 with floating point, caches, and an MMU that maps addresses to themselves: without it
// all memory counts as device memory, where unaligned loads trap. main's result ends qemu.

    .section .text.boot, "ax"
    .global _start
_start:
    mrs x1, mpidr_el1
    tst x1, #3
    b.eq 2f
1:  wfe
    b 1b

2:  mrs x0, CurrentEL
    cmp x0, #(2 << 2)
    b.ne at_el1
    msr cptr_el2, xzr               // floating point of EL1 does not trap to EL2
    mov x0, #(1 << 31)              // EL1 is AArch64
    msr hcr_el2, x0
    mov x0, #0x3c5                  // EL1h, interrupts masked
    msr spsr_el2, x0
    adr x0, at_el1
    msr elr_el2, x0
    eret

at_el1:
    mov x0, #(3 << 20)              // FPEN
    msr cpacr_el1, x0
    isb
    ldr x0, =__stack_top
    mov sp, x0
    ldr x1, =__bss_start            // the tables below are in it
    ldr x2, =__bss_end
3:  cmp x1, x2
    b.hs 4f
    str xzr, [x1], #8
    b 3b

    // Level 2: 512 blocks of 2 MiB; 504 are memory, the rest is peripherals.
4:  ldr x0, =level2
    mov x1, #0x701                  // block, attribute 0, inner shareable, accessed
    mov x2, #512
5:  cmp x2, #8
    b.hi 6f
    movk x1, #0x405                 // attribute 1
6:  str x1, [x0], #8
    add x1, x1, #0x200000
    subs x2, x2, #1
    b.ne 5b
    ldr x0, =level1
    ldr x1, =level2
    orr x1, x1, #3                  // table
    str x1, [x0]
    msr ttbr0_el1, x0
    mov x0, #0x00ff                 // attribute 0: write-back memory, 1: device
    msr mair_el1, x0
    ldr x0, =0x803520               // 32 address bits, 4 KiB granule, cached walks, no TTBR1
    msr tcr_el1, x0
    tlbi vmalle1
    dsb nsh
    isb
    mrs x0, sctlr_el1
    mov x1, #0x1005                 // instruction cache, data cache, MMU
    orr x0, x0, x1
    msr sctlr_el1, x0
    isb

    bl main
    ldr x1, =exit_block             // semihosting SYS_EXIT: ADP_Stopped_ApplicationExit, status
    sxtw x0, w0
    str x0, [x1, #8]
    mov w0, #0x18
    hlt #0xf000
7:  b 7b

    .data
    .balign 8
exit_block:
    .quad 0x20026, 0

    .bss
    .balign 4096
level2: .skip 4096
level1: .skip 4096
