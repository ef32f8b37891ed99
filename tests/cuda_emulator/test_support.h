/* What the emulator's tests share: cmocka for C++, every schedule in turn, and processes that must
 * be stopped with a report. */
#ifndef CUDA_EMULATOR_TEST_SUPPORT_H
#define CUDA_EMULATOR_TEST_SUPPORT_H

#include "cuda_emulator.h"
#include "device_array.h"

#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <cuda_runtime_api.h>

extern "C" {
#include <cmocka.h>
}

/* Calls `test` in every schedule and both modes of asynchronous work. */
template <typename Test> void in_all_schedules(Test test)
{
    const struct cuda_emulator_settings before = cuda_emulator_current();
    for (int schedule = 0; schedule < CUDA_EMULATOR_SCHEDULES; schedule++)
        for (int late = 0; late < 2; late++) {
            struct cuda_emulator_settings settings = before;
            settings.schedule = static_cast<cuda_emulator_schedule>(schedule);
            settings.late = late;
            settings.seed = 11;
            cuda_emulator_configure(&settings);
            test();
        }
    cuda_emulator_configure(&before);
}

/* `act` must end a process of its own with a report that has `text`. */
template <typename Act> void assert_stopped(const char *text, Act act)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    close(ends[1]);
    std::string report;
    char piece[512];
    for (ssize_t n; (n = read(ends[0], piece, sizeof piece)) > 0;)
        report.append(piece, static_cast<size_t>(n));
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || report.find(text) == std::string::npos)
        fail_msg("not stopped with \"%s\", but: %s", text, report.c_str());
}

#endif
