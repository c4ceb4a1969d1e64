/* connect.c - from a name to a connected socket: both families race (RFC 8305).
 *
 * Addresses are tried in turn, a new one every 250 ms or as soon as one has failed, while those
 * before it go on; the first to answer wins. The whole race lives in the socket, so that a signal
 * can interrupt it at any point and the next call goes on from there. */
#include "socket.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ADDRESS_MAX = SOCKET_AWAITED_MAX,
    STAGGER_MS = 250, /* RFC 8305, 5: Connection Attempt Delay */
    FULL_MS = 20      /* how long to wait where the queue of a unix socket is full */
};

struct connecting {
    struct address from; /* the source address, if its length is not 0 */
    int port;
    int64_t deadline_ms; /* of the first call: interruptions do not extend it */
    int64_t next_ms;     /* when the next attempt may start */
    struct resolving *job;
    struct pollfd tries[ADDRESS_MAX]; /* by address; a descriptor of -1: none is under way */
    bool waits[ADDRESS_MAX];          /* its descriptor was made so that calls wait */
    int count, next, running;
    int winner;       /* its index; -1: there is none yet */
    const char *word; /* why it failed, see failure_word */
    size_t said;      /* bytes of failures in the text */
    /* From here on all is written before it is read, and need not be zero. */
    char host[SOCKET_NAME_LEN_MAX]; /* what was asked for, to know the same call again */
    char source[SOCKET_NAME_LEN_MAX];
    struct address list[ADDRESS_MAX];
    char failures[SOCKET_TEXT_MAX];
};

/* The race is over. */
static void end(struct connecting *c)
{
    if (c->job != NULL) resolve_end(c->job);
    for (int i = 0; i < ADDRESS_MAX; i++)
        if (c->tries[i].fd >= 0) close(c->tries[i].fd);
}

void connect_drop(struct smtp_socket *s)
{
    if (s->connecting == NULL) return;
    end(s->connecting);
    free(s->connecting);
    s->connecting = NULL;
}

/* The word for the errno value of an attempt. An address that answers tells more than one that
 * cannot be reached, whichever comes first. */
static const char *failure_word(const struct connecting *c, int error)
{
    switch (error) {
    case EADDRNOTAVAIL:
        if (c->from.len > 0) return "connect:source_address";
        break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EAFNOSUPPORT: break;
    case ECONNREFUSED: return "connect:refused";
    default: return "connect";
    }
    for (int i = 0; i < c->count; i++)
        if (c->list[i].u.any.sa_family != AF_INET6 || error == EHOSTUNREACH)
            return c->word != NULL ? c->word : "connect:unreachable";
    return address_parse(&(struct address){0}, c->host, 0) ? "connect:unreachable"
                                                           : "connect:no_ipv6";
}

/* Adds "192.0.2.1:25: Connection refused" to what is reported if all attempts fail. */
static void note_failure(struct connecting *c, const struct address *address, int error)
{
    char label[SOCKET_NAME_LEN_MAX + 16];
    address_label(address, label);
    c->word = failure_word(c, error);
    int n = snprintf(c->failures + c->said, sizeof c->failures - c->said, "%s%s: %s",
                     c->said > 0 ? "; " : "", label, strerror(error));
    if (n > 0 && (size_t)n < sizeof c->failures - c->said) {
        c->said += (size_t)n;
        return;
    }
    c->failures[c->said] = '\0';
}

/* Lists the addresses that need no resolver. "localhost" means what RFC 6761, 6.3 says. */
static const char *list_known(struct connecting *c, char text[SOCKET_TEXT_MAX])
{
    if (address_is_unix(c->host)) {
        c->count = 1;
        return address_unix(&c->list[0], c->host, text);
    }
    if (strcmp(c->host, "localhost") == 0) {
        c->count = 2;
        address_parse(&c->list[0], "127.0.0.1", c->port);
        address_parse(&c->list[1], "::1", c->port);
        return NULL;
    }
    if (address_parse(&c->list[0], c->host, c->port)) c->count = 1;
    return NULL;
}

/* Copies a name with its NUL. Returns false where it does not fit. */
static bool keep_name(char out[SOCKET_NAME_LEN_MAX], const char *name)
{
    size_t len = strlen(name);
    if (len < SOCKET_NAME_LEN_MAX) memcpy(out, name, len + 1);
    return len < SOCKET_NAME_LEN_MAX;
}

static const char *begin(struct smtp_socket *s, struct connecting *c, const char *host, int port,
                         const char *source)
{
    memset(c, 0, offsetof(struct connecting, host));
    c->host[0] = c->source[0] = c->failures[0] = '\0';
    for (int i = 0; i < ADDRESS_MAX; i++)
        c->tries[i] = (struct pollfd){.fd = -1, .events = POLLOUT};
    c->winner = -1;
    s->connecting = c;
    c->port = port;
    c->deadline_ms = wait_deadline_ms(s->connect_ms);
    if (!keep_name(c->host, host))
        return words_say(s->text, "resolve", "a host name of %zu bytes", strlen(host));
    if (!keep_name(c->source, source))
        return words_say(s->text, "connect:source_address", "the source address is too long");
    if (source[0] != '\0' && !address_is_unix(host) && !address_parse(&c->from, source, 0))
        return words_say(s->text, "connect:source_address",
                         "the source address %s is not an IP address", source);
    const char *word = list_known(c, s->text);
    if (word != NULL || c->count > 0) return word;
    return resolve_begin(&c->job, host, s->text);
}

/* Waits; or returns "again" where the socket is non-blocking. */
static const char *await(const struct smtp_socket *s, struct pollfd *fds, nfds_t count,
                         int64_t wake_ms)
{
    const char *word = wait_poll(fds, count, s->nonblocking ? 0 : wake_ms);
    if (word == NULL || !s->nonblocking || strcmp(word, "timeout") != 0) return word;
    return wait_is_over(wake_ms) ? word : "again";
}

static const char *finish_resolving(struct smtp_socket *s, int64_t deadline_ms)
{
    struct connecting *c = s->connecting;
    struct pollfd answer = {.fd = resolve_fd(c->job), .events = POLLIN};
    const char *word = await(s, &answer, 1, deadline_ms);
    if (word != NULL)
        return words_say(s->text, strcmp(word, "timeout") == 0 ? "timeout:resolve" : word,
                         "looking up %s", c->host);
    word = resolve_take(c->job, c->port, c->list, ADDRESS_MAX, &c->count, s->text);
    if (word != NULL) return word;
    resolve_end(c->job);
    c->job = NULL;
    return NULL;
}

/* Only addresses of the family of the source address can be reached from it. */
static const char *keep_family(struct smtp_socket *s)
{
    struct connecting *c = s->connecting;
    int kept = 0;
    if (c->from.len == 0) return NULL;
    for (int i = 0; i < c->count; i++)
        if (c->list[i].u.any.sa_family == c->from.u.any.sa_family) c->list[kept++] = c->list[i];
    c->count = kept;
    if (kept > 0) return NULL;
    return words_say(s->text, "connect:source_address", "%s has no address of the family of %s",
                     c->host, c->source);
}

/* Returns how long connect() itself may wait: alone in the race, and only until the next attempt
 * could start, because the kernel is late by a fraction of a long time-out (measured: 20.7 seconds
 * for 20). 0: it may not wait. */
static int patience_ms(const struct smtp_socket *s, int64_t deadline_ms)
{
    if (!PORT_WAITS || s->nonblocking || s->connecting->running > 0) return 0;
    int64_t left_ms = deadline_ms - wait_now_ms();
    if (left_ms > STAGGER_MS) return STAGGER_MS;
    return left_ms > 0 ? (int)left_ms : 0;
}

/* Starts attempt `i`. Returns 0: connected. EINPROGRESS, EINTR: it goes on (POSIX, connect). Any
 * other value: it has failed. On a unix socket an attempt does not go on after EINTR: that is
 * returned as EAGAIN, as where the queue is full. */
static int start_attempt(struct connecting *c, int i, int wait_ms)
{
    const struct address *to = &c->list[i];
    int fd = port_socket(to->u.any.sa_family, wait_ms), error = 0;
    if (fd < 0) return errno;
    bool bound = c->from.len == 0 || bind(fd, &c->from.u.any, c->from.len) == 0;
    if (!bound || connect(fd, &to->u.any, to->len) < 0) error = errno;
    if (error == EINTR && to->u.any.sa_family == AF_UNIX) error = EAGAIN;
    if (error != 0 && error != EINPROGRESS && error != EINTR) {
        close(fd);
        return error;
    }
    c->tries[i].fd = fd;
    c->waits[i] = wait_ms > 0;
    c->running++;
    return error;
}

static void win(struct connecting *c, int i)
{
    if (!c->waits[i]) port_connected(c->tries[i].fd);
    c->winner = i;
}

/* Starts the attempts that are due. Returns NULL, "again", or "system" where the process has no
 * descriptors left. */
static const char *start_due(struct smtp_socket *s, int64_t deadline_ms)
{
    struct connecting *c = s->connecting;
    while (c->next < c->count && (c->running == 0 || wait_now_ms() >= c->next_ms)) {
        const struct address *address = &c->list[c->next];
        int64_t next_ms = wait_now_ms() + STAGGER_MS;
        int error = start_attempt(c, c->next, patience_ms(s, deadline_ms));
        /* A unix socket with a full queue answers at once, and poll() cannot tell when it has room.
         */
        if (error == EAGAIN && address->u.any.sa_family == AF_UNIX) {
            c->next_ms = wait_now_ms() + FULL_MS;
            return NULL;
        }
        c->next++;
        c->next_ms = next_ms;
        if (error == EINTR) return "again";
        if (error == EINPROGRESS) continue;
        if (error == 0) {
            win(c, c->next - 1);
            return NULL;
        }
        note_failure(c, address, error);
        if (words_of_errno(error, NULL) != NULL)
            return words_say(s->text, "system", "%s", c->failures);
        c->next_ms = 0;
    }
    return NULL;
}

/* Looks at the attempts that have come to an end. */
static void collect_ended(struct connecting *c)
{
    for (int i = 0; i < c->next && c->winner < 0; i++) {
        struct pollfd *try = &c->tries[i];
        int error = 0;
        socklen_t len = sizeof error;
        if (try->fd < 0 || try->revents == 0) continue;
        if (getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) error = errno;
        if (error == 0) {
            win(c, i);
            return;
        }
        note_failure(c, &c->list[i], error);
        close(try->fd);
        try->fd = -1;
        c->running--;
        c->next_ms = 0;
    }
}

/* Is there another attempt to start before the deadline? */
static bool has_more(const struct connecting *c, int64_t deadline_ms)
{
    return c->next < c->count && c->next_ms < deadline_ms;
}

/* Waits for the race until something changes. */
static const char *watch(struct smtp_socket *s, int64_t deadline_ms)
{
    struct connecting *c = s->connecting;
    bool more = has_more(c, deadline_ms);
    const char *word = await(s, c->tries, (nfds_t)c->next, more ? c->next_ms : deadline_ms);
    if (word == NULL) collect_ended(c);
    return word != NULL && more && strcmp(word, "timeout") == 0 ? NULL : word;
}

nfds_t connect_awaited(const struct smtp_socket *s, struct pollfd *fds, int64_t *until_ms)
{
    const struct connecting *c = s->connecting;
    *until_ms = has_more(c, s->until_ms) ? c->next_ms : s->until_ms;
    memcpy(fds, c->tries, sizeof c->tries);
    if (c->job == NULL) return (nfds_t)c->next;
    *fds = (struct pollfd){.fd = resolve_fd(c->job), .events = POLLIN};
    return 1;
}

static const char *race(struct smtp_socket *s, int64_t deadline_ms)
{
    struct connecting *c = s->connecting;
    char label[SOCKET_NAME_LEN_MAX + 16];
    while (c->winner < 0) {
        const char *word = start_due(s, deadline_ms);
        if (word != NULL) return word;
        if (c->winner >= 0) break;
        if (c->running == 0 && c->next == c->count)
            return words_say(s->text, c->word, "%s", c->failures);
        word = watch(s, deadline_ms);
        if (word == NULL) continue;
        address_label(&c->list[0], label);
        return words_say(s->text, word, "no answer from %s%s%s", label, c->said > 0 ? "; " : "",
                         c->failures);
    }
    (void)keep_name(s->host, c->host);
    s->port = c->port;
    connection_adopt(s, c->tries[c->winner].fd, c->list[c->winner].u.any.sa_family);
    c->tries[c->winner].fd = -1;
    s->address = c->list[c->winner];
    return NULL;
}

static const char *advance(struct smtp_socket *s, int64_t deadline_ms)
{
    struct connecting *c = s->connecting;
    if (c->count == 0) {
        const char *word = finish_resolving(s, deadline_ms);
        if (word != NULL) return word;
    }
    if (c->next == 0) {
        const char *word = keep_family(s);
        if (word != NULL) return word;
    }
    return race(s, deadline_ms);
}

/* The first call has the race on its stack; where it goes on, the next ones find it here. */
static const char *keep(struct smtp_socket *s, const struct connecting *first)
{
    s->connecting = malloc(sizeof *first);
    if (s->connecting == NULL) return words_say(s->text, "system", "no memory");
    memcpy(s->connecting, first, sizeof *first);
    return "again";
}

static const char *run(struct smtp_socket *s)
{
    int64_t deadline_ms = stream_deadline_ms(s, s->connect_ms);
    if (deadline_ms > s->connecting->deadline_ms) deadline_ms = s->connecting->deadline_ms;
    s->until_ms = deadline_ms;
    return advance(s, deadline_ms);
}

static bool is_again(const char *word)
{
    return word != NULL && strcmp(word, "again") == 0;
}

const char *connect_run(struct smtp_socket *s, const char *host, int port, const char *source)
{
    struct connecting first, *c = s->connecting;
    if (s->fd >= 0) return words_say(s->text, "system", "this socket is connected already");
    if (c != NULL &&
        (c->port != port || strcmp(c->host, host) != 0 || strcmp(c->source, source) != 0))
        connect_drop(s);
    if (s->connecting != NULL) {
        const char *word = run(s);
        if (!is_again(word)) connect_drop(s);
        return word;
    }
    const char *word = begin(s, &first, host, port, source);
    if (word == NULL) word = run(s);
    s->connecting = NULL;
    if (is_again(word)) word = keep(s, &first);
    if (!is_again(word)) end(&first);
    return word;
}
