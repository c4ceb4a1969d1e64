/* flushed.c - what a power loss leaves of a file: preloaded, the size that a file had when it was
 * flushed last is written to a file beside it, of the name with .flushed. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int flush(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    char link[64], path[4096], size[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 16);
    struct stat before; /* what is appended meanwhile may or may not be flushed */
    int known = len > 0 && fstat(fd, &before) == 0 && S_ISREG(before.st_mode);
    int result = real(fd);
    if (result != 0 || !known) return result;
    memcpy(path + len, ".flushed", 9);
    int out = open(path, O_WRONLY | O_CREAT, 0600);
    int size_len = snprintf(size, sizeof size, "%020lld\n", (long long)before.st_size);
    if (out < 0 || pwrite(out, size, (size_t)size_len, 0) != size_len) perror(path);
    if (out >= 0) close(out);
    return result;
}

int fdatasync(int fd)
{
    return flush("fdatasync", fd);
}

int fsync(int fd)
{
    return flush("fsync", fd);
}
