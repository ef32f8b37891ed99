/* The signal handler of stop.h. The flag is the program's only mutable variable of file scope:
 * a handler can reach nothing else. */
#include "cli/stop.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int watched[] = {SIGINT, SIGTERM};
enum { WATCHED_COUNT = sizeof watched / sizeof watched[0] };

static volatile sig_atomic_t stop_flag;

static void handle_signal(int number)
{
    static const char text[] =
        "\nStopping: what was measured is saved. The same signal again ends at once.\n";
    (void)number;
    stop_flag = 1;
    for (size_t i = 0; i < WATCHED_COUNT; i++)
        (void)signal(watched[i], SIG_DFL);
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return; /* nobody is there to read it */
}

static void set_handler(void (*handler)(int))
{
    struct sigaction action = {0};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    /* The second signal waits for the end of the handler, which has given it back its power. */
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < WATCHED_COUNT; i++)
        (void)sigaddset(&action.sa_mask, watched[i]);
    for (size_t i = 0; i < WATCHED_COUNT; i++)
        (void)sigaction(watched[i], &action, NULL);
}

void stop_watch_begin(void)
{
    stop_flag = 0;
    set_handler(handle_signal);
}

void stop_watch_end(void)
{
    set_handler(SIG_DFL);
}

bool stop_was_asked(void)
{
    return stop_flag != 0;
}
