/* Switching stacks, by hand on x86-64 and aarch64 and by ucontext elsewhere, and telling the
 * sanitizers about it. The rules of the race detector are in races.h. */
#include "fiber.h"
#include "races.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define EMULATOR_ADDRESS_CHECKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMULATOR_ADDRESS_CHECKS 1
#endif
#endif
#ifdef EMULATOR_ADDRESS_CHECKS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace
{
constexpr size_t stack_bytes = 256 * 1024;

size_t guard_bytes()
{
    static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return page;
}

/* Stacks that nobody has now: making one costs more than a small kernel. Not so while races are
 * looked for, when every thread gets memory of its own. */
std::vector<unsigned char *> spare_stacks;

/* The lowest page is kept from use, so that a stack that grows too far stops at once. */
unsigned char *new_stack()
{
    if (!spare_stacks.empty()) {
        unsigned char *spare = spare_stacks.back();
        spare_stacks.pop_back();
        return spare;
    }
    void *memory = mmap(nullptr, guard_bytes() + stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, guard_bytes(), PROT_NONE) != 0) {
        std::perror("cuda emulator: no memory for a thread's stack");
        std::abort();
    }
    return static_cast<unsigned char *>(memory);
}
} // namespace

#if defined(__x86_64__)

/* Saves what a call must preserve, stores the stack pointer at *rdi, takes rsi for it. */
asm(R"(
.text
.type cuda_emulator_switch_stack, @function
cuda_emulator_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size cuda_emulator_switch_stack, . - cuda_emulator_switch_stack
)");
extern "C" void cuda_emulator_switch_stack(void **from, void *to);

/* As if entry had been called: six saved registers, its address, and a return address of 0. */
static void *first_stack_pointer(unsigned char *top, void (*entry)())
{
    auto *slot = reinterpret_cast<uintptr_t *>(top);
    slot[-1] = 0;
    slot[-2] = reinterpret_cast<uintptr_t>(entry);
    for (int saved = 3; saved <= 8; saved++)
        slot[-saved] = 0;
    return slot - 8;
}

#elif defined(__aarch64__)

asm(R"(
.text
.type cuda_emulator_switch_stack, %function
cuda_emulator_switch_stack:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size cuda_emulator_switch_stack, . - cuda_emulator_switch_stack
)");
extern "C" void cuda_emulator_switch_stack(void **from, void *to);

static void *first_stack_pointer(unsigned char *top, void (*entry)())
{
    auto *slot = reinterpret_cast<uintptr_t *>(top - 160);
    for (int saved = 0; saved < 20; saved++)
        slot[saved] = 0;
    slot[11] = reinterpret_cast<uintptr_t>(entry); /* x30: where ret goes */
    return slot;
}

#else

#include <ucontext.h>

/* The stack pointer of a fiber is a ucontext_t on the heap here. */
static void cuda_emulator_switch_stack(void **from, void *to)
{
    ucontext_t here;
    *from = &here;
    swapcontext(&here, static_cast<ucontext_t *>(to));
}

static void *first_stack_pointer(unsigned char *top, void (*entry)())
{
    auto *context = reinterpret_cast<ucontext_t *>(top - stack_bytes);
    getcontext(context);
    context->uc_stack.ss_sp = context + 1;
    context->uc_stack.ss_size = stack_bytes - sizeof *context;
    context->uc_link = nullptr;
    makecontext(context, entry, 0);
    return context;
}

#endif

namespace cuda_emulator
{
void fiber_adopt(fiber &self)
{
    self = {};
    self.race_detector = races_current_fiber();
#ifdef EMULATOR_ADDRESS_CHECKS
    /* Asked for once: the answer takes reading the whole map of the process's memory. */
    static thread_local const auto own_stack = [] {
        std::pair<const void *, size_t> result = {nullptr, 0};
        pthread_attr_t attributes;
        void *bottom = nullptr;
        if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
            pthread_attr_getstack(&attributes, &bottom, &result.second);
            pthread_attr_destroy(&attributes);
        }
        result.first = bottom;
        return result;
    }();
    self.bottom = own_stack.first;
    self.bytes = own_stack.second;
#endif
}

void fiber_prepare(fiber &self, void (*entry)())
{
    if (!self.stack)
        self.stack = new_stack();
    self.bottom = self.stack + guard_bytes();
    self.bytes = stack_bytes;
    unsigned char *top = self.stack + guard_bytes() + stack_bytes;
#ifdef EMULATOR_ADDRESS_CHECKS
    __asan_unpoison_memory_region(top - stack_bytes, stack_bytes);
#endif
    self.fake_stack = nullptr;
    self.stack_pointer = first_stack_pointer(top, entry);
    self.race_detector = races_new_fiber();
}

void fiber_switch(fiber &from, fiber &to, bool last)
{
    races_switch(to.race_detector);
#ifdef EMULATOR_ADDRESS_CHECKS
    __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.bottom, to.bytes);
    cuda_emulator_switch_stack(&from.stack_pointer, to.stack_pointer);
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#else
    (void)last;
    cuda_emulator_switch_stack(&from.stack_pointer, to.stack_pointer);
#endif
}

void fiber_entered(fiber &self)
{
#ifdef EMULATOR_ADDRESS_CHECKS
    __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
#else
    (void)self;
#endif
}

void fiber_release(fiber &self, bool keep_stack)
{
    if (self.race_detector)
        races_end_fiber(self.race_detector);
    self.race_detector = nullptr;
    if (!keep_stack && self.stack) {
#ifdef EMULATOR_ADDRESS_CHECKS
        /* Frames that were left, not returned from, are marked still: others get these pages. */
        __asan_unpoison_memory_region(self.stack + guard_bytes(), stack_bytes);
#endif
        if (races_detected)
            munmap(self.stack, guard_bytes() + stack_bytes);
        else
            spare_stacks.push_back(self.stack);
        self.stack = nullptr;
    }
}
} // namespace cuda_emulator
