/* measure.c - runs a command and says what it took. See spec/bench/run.
 *
 * measure FILE SECONDS COMMAND…: to FILE its exit status, seconds by the wall, and KiB of memory at
 * its peak. After SECONDS it is killed, and the status is 124. Small itself: a process begins with
 * the peak of the one that started it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t late;

static void kill_it(int number)
{
    (void)number;
    late = 1;
    kill(child, SIGKILL);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 4) return 1;
    FILE *file = fopen(argv[1], "we");
    if (file == NULL) return 1;
    double begin = now();
    child = fork();
    if (child == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    signal(SIGALRM, kill_it);
    alarm((unsigned)strtoul(argv[2], NULL, 10));
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) != child)
        continue;
    double wall = now() - begin;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(file, "%d %.6f %ld\n", late ? 124 : code, wall, usage.ru_maxrss);
    return fclose(file) == 0 ? 0 : 1;
}
