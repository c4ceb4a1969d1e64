/* resolve.c - names to addresses, with a deadline.
 *
 * getaddrinfo waits as long as it likes, so it runs in a thread of its own. The job belongs to two:
 * that thread and the socket that asked. The one that lets go last frees it; a socket that gives up
 * simply lets go, and a resolver that hangs hangs alone. The thread takes no signals, so that
 * Ctrl-C interrupts the thread that waits. */
#include "socket.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct resolving {
    atomic_int owners;
    int pipe[2]; /* both ends stay open until the last owner goes: no SIGPIPE, no end of file */
    int error;   /* what getaddrinfo said, and errno at that time */
    int system_error;
    int lack; /* an errno value: without descriptors the resolver finds no name at all */
    struct addrinfo *answer;
    char host[SOCKET_NAME_LEN_MAX];
};

void resolve_end(struct resolving *job)
{
    if (atomic_fetch_sub(&job->owners, 1) != 1) return;
    close(job->pipe[0]);
    close(job->pipe[1]);
    if (job->answer != NULL) freeaddrinfo(job->answer);
    free(job);
}

/* Returns what this process lacks, as an errno value, or 0. The resolver reads files and opens a
 * socket; without a descriptor it reports that the name does not exist. So this checks whether two
 * descriptors can be had. */
static int find_lack(const struct resolving *job)
{
    if (words_of_errno(job->system_error, NULL) != NULL) return job->system_error;
    int lack = 0, fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = fcntl(job->pipe[0], F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0) lack = errno;
    }
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0) close(fds[i]);
    return words_of_errno(lack, NULL) != NULL ? lack : 0;
}

static void *look_up(void *argument)
{
    struct resolving *job = argument;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    job->error = getaddrinfo(job->host, NULL, &hints, &job->answer);
    job->system_error = errno;
    if (job->error != 0) {
        job->answer = NULL;
        job->lack = find_lack(job);
    }
    while (write(job->pipe[1], "", 1) < 0 && errno == EINTR)
        continue;
    resolve_end(job);
    return NULL;
}

/* Starts the thread. Returns 0 or an errno value. */
static int start(struct resolving *job)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, look_up, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

const char *resolve_begin(struct resolving **out, const char *host, char text[SOCKET_TEXT_MAX])
{
    struct resolving *job = calloc(1, sizeof *job);
    if (job == NULL) return words_say(text, "system", "no memory");
    if (port_pipe(job->pipe) < 0) {
        words_say(text, "system", "cannot look up %s: %s", host, strerror(errno));
        free(job);
        return "system";
    }
    atomic_init(&job->owners, 2);
    memcpy(job->host, host, strlen(host) + 1);
    int error = start(job);
    if (error != 0) {
        atomic_init(&job->owners, 1);
        resolve_end(job);
        return words_say(text, "system:threads", "no thread for the look-up of %s: %s", host,
                         strerror(error));
    }
    *out = job;
    return NULL;
}

int resolve_fd(const struct resolving *job)
{
    return job->pipe[0];
}

#ifndef EAI_NODATA /* FreeBSD has one name for both */
#define EAI_NODATA EAI_NONAME
#endif

static const char *explain(const struct resolving *job, char text[SOCKET_TEXT_MAX])
{
    if (job->error == EAI_MEMORY) return words_say(text, "system", "no memory");
    if (job->lack != 0)
        return words_say(text, "system", "cannot look up %s: %s", job->host, strerror(job->lack));
    const char *why =
        job->error == EAI_SYSTEM ? strerror(job->system_error) : gai_strerror(job->error);
    bool unknown = job->error == EAI_NONAME || job->error == EAI_NODATA;
    return words_say(text, unknown ? "resolve:unknown_host" : "resolve", "%s: %s", job->host, why);
}

/* Returns the next address of this family from *at on, NULL where there is none. */
static const struct addrinfo *next_of(const struct addrinfo **at, int family)
{
    while (*at != NULL && (*at)->ai_family != family)
        *at = (*at)->ai_next;
    const struct addrinfo *found = *at;
    if (found != NULL) *at = found->ai_next;
    return found;
}

static void copy_address(struct address *address, const struct addrinfo *info, int port)
{
    memcpy(&address->u, info->ai_addr, info->ai_addrlen);
    address->len = info->ai_addrlen;
    if (info->ai_family == AF_INET) address->u.in.sin_port = htons((uint16_t)port);
    if (info->ai_family == AF_INET6) address->u.in6.sin6_port = htons((uint16_t)port);
}

const char *resolve_take(struct resolving *job, int port, struct address *list, int max, int *count,
                         char text[SOCKET_TEXT_MAX])
{
    char done;
    if (read(job->pipe[0], &done, 1) != 1)
        return words_say(text, errno == EINTR ? "again" : "system", "cannot look up %s: %s",
                         job->host, strerror(errno));
    if (job->error != 0) return explain(job, text);
    bool six_first = job->answer->ai_family == AF_INET6;
    const int families[2] = {six_first ? AF_INET6 : AF_INET, six_first ? AF_INET : AF_INET6};
    const struct addrinfo *at[2] = {job->answer, job->answer};
    *count = 0;
    for (int turn = 0; *count < max && (at[0] != NULL || at[1] != NULL); turn ^= 1) {
        const struct addrinfo *info = next_of(&at[turn], families[turn]);
        if (info != NULL) copy_address(&list[(*count)++], info, port);
    }
    if (*count > 0) return NULL;
    return words_say(text, "resolve", "%s: no usable address", job->host);
}
