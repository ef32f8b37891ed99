/* cp.async: what is copied when, and what 16-byte accesses must keep to. In the late mode a copy
 * happens at the wait for it, so a missing wait shows; else at once, so an early overwrite does. */
#include "grid.h"
#include "races.h"

#include <algorithm>
#include <cstring>

namespace cuda_emulator
{
namespace
{
void perform(const pending_copy &copy)
{
    std::memcpy(copy.shared, copy.global, static_cast<size_t>(copy.valid_bytes));
    std::memset(copy.shared + copy.valid_bytes, 0, static_cast<size_t>(16 - copy.valid_bytes));
}

/* Completes the copies of groups before `end`. */
void complete(thread &which, int64_t end, void *caller)
{
    auto done = [end](const pending_copy &copy) { return copy.group < end; };
    for (const pending_copy &copy : which.copies)
        if (done(copy))
            races_write_16(copy.shared, caller);
    races_out_of_sight hidden;
    for (const pending_copy &copy : which.copies)
        if (done(copy) && settings.late)
            perform(copy);
    which.copies.erase(std::remove_if(which.copies.begin(), which.copies.end(), done),
                       which.copies.end());
}
} // namespace

void check_alignment(const void *address, call_site site)
{
    if (reinterpret_cast<uintptr_t>(address) % 16 != 0)
        stop(*current, site, "misaligned 16-byte access: the address is %d past a multiple of 16",
             static_cast<int>(reinterpret_cast<uintptr_t>(address) % 16));
}

void check_shared(const void *address, call_site site)
{
    auto start = reinterpret_cast<uintptr_t>(running.shared);
    auto place = reinterpret_cast<uintptr_t>(address);
    if (place < start || place + 16 > start + running.shared_bytes)
        stop(*current, site, "16 bytes at offset %lld are outside the %zu bytes of shared memory",
             static_cast<long long>(place - start), running.shared_bytes);
}

void copy_async(void *shared, const void *global, int valid_bytes, call_site site)
{
    thread &self = *current;
    self.site = site;
    check_alignment(shared, site);
    check_alignment(global, site);
    check_shared(shared, site);
    if (valid_bytes < 0 || valid_bytes > 16)
        stop(self, site, "cp.async of %d bytes, 0 to 16 are possible", valid_bytes);
    if (valid_bytes > 0 && !in_device_memory(global, static_cast<size_t>(valid_bytes)))
        stop(self, site, "cp.async reads %d bytes that are not in device memory", valid_bytes);
    void *caller = __builtin_return_address(0);
    if (valid_bytes > 0)
        races_read_16(global, caller);
    races_write_16(shared, caller);
    races_out_of_sight hidden;
    pending_copy copy = {static_cast<unsigned char *>(shared),
                         static_cast<const unsigned char *>(global), valid_bytes, self.open_group};
    if (!settings.late)
        perform(copy);
    self.copies.push_back(copy);
}

void commit_copies()
{
    current->open_group++;
}

void wait_for_copies(int pending, call_site site)
{
    current->site = site;
    complete(*current, current->open_group - pending, __builtin_return_address(0));
}

void finish_copies(thread &which)
{
    complete(which, which.open_group + 1, __builtin_return_address(0));
}
} // namespace cuda_emulator
