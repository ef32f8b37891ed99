/* Fibers: stacks that one OS thread switches between. Used by block.cpp, one per CUDA thread. */
#ifndef CUDA_EMULATOR_FIBER_H
#define CUDA_EMULATOR_FIBER_H

#include <cstddef>

namespace cuda_emulator
{
struct fiber {
    void *stack_pointer;  /* while it is not running */
    unsigned char *stack; /* ours; NULL in the adopted one */
    const void *bottom;   /* of the stack, and its size */
    size_t bytes;
    void *race_detector; /* ThreadSanitizer's handle */
    void *fake_stack;    /* AddressSanitizer's handle */
};

/* The fiber that the caller is, without a stack of ours. */
void fiber_adopt(fiber &self);

/* Ready to run entry() at the first switch to it; entry never returns. An existing stack of
 * `self` is used again unless races are being detected. */
void fiber_prepare(fiber &self, void (*entry)());

/* Stops `from`, which is running, and goes on with `to`; `last`: `from` will not run again. */
void fiber_switch(fiber &from, fiber &to, bool last);

/* To be called first by entry(). */
void fiber_entered(fiber &self);

/* Frees what a finished fiber holds; `keep_stack` for another fiber_prepare. */
void fiber_release(fiber &self, bool keep_stack);
} // namespace cuda_emulator

#endif
