/* Moves the wall clock of one process by the seconds written in /run/wall-clock, and nothing else.
 *
 * libfaketime would do it too, but takes the timed waits of threads over as well: under it CPython's threads wake at once instead
 * of after five milliseconds and fight for the interpreter, until a busy machine starves the process and its watchdog bites. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t moved(void)
{
    long seconds = 0;
    FILE *told = fopen("/run/wall-clock", "re");
    if (told != NULL) {
        if (fscanf(told, "%ld", &seconds) != 1)
            seconds = 0;
        fclose(told);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += moved();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec read;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &read);
    now->tv_sec = read.tv_sec;
    now->tv_usec = read.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec read;
    clock_gettime(CLOCK_REALTIME, &read);
    if (now != NULL)
        *now = read.tv_sec;
    return read.tv_sec;
}
