/* What ThreadSanitizer is told, in the build for it (EMULATOR_RACES); elsewhere nothing.
 *
 * Rules that make its verdicts exact: the emulator itself is not instrumented; switching fibers
 * orders nothing; only barriers order threads of a block, through two objects in turn, so that a
 * thread that wakes late does not take in the next round; every block has new fibers, stacks and
 * shared memory, so that nothing orders two blocks but the program's own atomics; what the
 * emulator does within a thread of the kernel, allocations and copies among it, is out of sight,
 * and what it does in the thread's name (cp.async, ldmatrix) is told. */
#ifndef CUDA_EMULATOR_RACES_H
#define CUDA_EMULATOR_RACES_H

#ifdef EMULATOR_RACES
#include <sanitizer/tsan_interface.h>

extern "C" {
void __tsan_read16_pc(void *address, void *caller);
void __tsan_write16_pc(void *address, void *caller);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
}
#endif

namespace cuda_emulator
{
#ifdef EMULATOR_RACES
constexpr bool races_detected = true;

inline void *races_current_fiber()
{
    return __tsan_get_current_fiber();
}
inline void *races_new_fiber()
{
    return __tsan_create_fiber(0);
}
inline void races_switch(void *to)
{
    __tsan_switch_to_fiber(to, __tsan_switch_to_fiber_no_sync);
}
inline void races_end_fiber(void *fiber)
{
    __tsan_destroy_fiber(fiber);
}
inline void races_acquire(void *object)
{
    __tsan_acquire(object);
}
inline void races_release(void *object)
{
    __tsan_release(object);
}
inline void races_read_16(const void *address, void *caller)
{
    __tsan_read16_pc(const_cast<void *>(address), caller);
}
inline void races_write_16(void *address, void *caller)
{
    __tsan_write16_pc(address, caller);
}

/* The emulator's own work in a thread of the kernel. */
class races_out_of_sight
{
  public:
    races_out_of_sight()
    {
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~races_out_of_sight()
    {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    }
};
#else
constexpr bool races_detected = false;

inline void *races_current_fiber()
{
    return nullptr;
}
inline void *races_new_fiber()
{
    return nullptr;
}
inline void races_switch(void *)
{
}
inline void races_end_fiber(void *)
{
}
inline void races_acquire(void *)
{
}
inline void races_release(void *)
{
}
inline void races_read_16(const void *, void *)
{
}
inline void races_write_16(void *, void *)
{
}

class races_out_of_sight
{
  public:
    races_out_of_sight()
    {
    }
};
#endif
} // namespace cuda_emulator

#endif
