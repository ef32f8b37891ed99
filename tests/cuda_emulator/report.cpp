/* The emulator's reports: what is wrong in which kernel, block, thread and line. They end the
 * process, since what comes after a fault means nothing. */
#include "grid.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cuda_emulator
{
namespace
{
[[noreturn]] void end(const char *format, va_list values)
{
    std::vfprintf(stderr, format, values);
    std::fputc('\n', stderr);
    std::fflush(stderr);
    std::abort();
}
} // namespace

void stop(const thread &where, call_site site, const char *format, ...)
{
    std::fprintf(stderr, "cuda emulator: %s, block (%u, %u, %u), thread (%u, %u, %u), %s: ",
                 running.kernel.c_str(), running.index.x, running.index.y, running.index.z,
                 where.index.x, where.index.y, where.index.z, text_of(site).c_str());
    va_list values;
    va_start(values, format);
    end(format, values);
}

void stop_launch(const std::string &kernel, const char *format, ...)
{
    std::fprintf(stderr, "cuda emulator: %s: ", kernel.c_str());
    va_list values;
    va_start(values, format);
    end(format, values);
}

std::string text_of(call_site site)
{
    return std::string(site.file) + ":" + std::to_string(site.line);
}

bool same_site(call_site left, call_site right)
{
    return left.line == right.line && std::strcmp(left.file, right.file) == 0;
}

std::string kernel_name(const std::string &caller)
{
    const std::string mark = "kernel = ";
    size_t start = caller.find(mark);
    if (start == std::string::npos)
        return caller;
    start += mark.size();
    if (caller[start] == '&')
        start++;
    size_t end = start;
    for (int depth = 0; end < caller.size(); end++) {
        char c = caller[end];
        depth += (c == '<' || c == '(') - (c == '>' || c == ')');
        if (depth <= 0 && (c == ';' || c == ',' || c == ']'))
            break;
    }
    return caller.substr(start, end - start);
}
} // namespace cuda_emulator
