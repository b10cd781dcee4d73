// The boot floppy of the emulated machine: enters the kernel by its PVH entry.
//
// Bochs itself has put the uncompressed kernel and the initramfs into the RAM
// (optramimage), so there is nothing to load from a disk and nothing to unpack
// in the guest.  What is left: read the rest of this file, switch to 32-bit
// protected mode and jump to the kernel with %ebx at a hvm_start_info.
//
// Assemble with -Wa,--defsym for ENTRY, INITRD, INITRD_SIZE, RAM_SIZE and with
// -DCMDLINE='"..."'.

        .code16
        .text
        .globl _start
_start: ljmp    $0, $1f
1:      cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movw    $0x0207, %ax            // 7 more sectors: 0x7e00..0x8c00
        movw    $0x0002, %cx            // cylinder 0, sector 2
        xorw    %dx, %dx                // head 0, drive A
        movw    $0x7e00, %bx
        int     $0x13
        jc      stop
        cli
        inb     $0x92, %al              // A20
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        lgdt    gdtr
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmp    $0x08, $prot
stop:   hlt
        jmp     stop

        .code32
prot:   movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    %ax, %fs
        movw    %ax, %gs
        movl    $start_info, %ebx
        movl    $ENTRY, %eax
        jmp     *%eax

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
gdtr:   .word   gdtr - gdt - 1
        .long   gdt

        .org    510
        .word   0xaa55

        .org    512
start_info:
        .long   0x336ec578, 1, 0, 1     // magic, version, flags, modules
        .quad   module, cmdline, 0, memmap
        .long   (memmap_end - memmap) / 24, 0
module: .quad   INITRD, INITRD_SIZE, 0, 0
memmap: .quad   0, 0x9f000
        .long   1, 0
        .quad   0x100000, RAM_SIZE - 0x100000 - 0x40000
        .long   1, 0
        .quad   RAM_SIZE - 0x40000, 0x40000     // the BIOS's tables
        .long   2, 0
memmap_end:
cmdline:
        .asciz  CMDLINE
        .org    4096
        .org    1474560                 // a 1.44 MB floppy
