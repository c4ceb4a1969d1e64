/* sink.c - a server that takes more than any client gives, and counts. See spec/bench/run.
 *
 * sink [--tls CERT KEY] [--auth] [--rtt MS] [--nagle] [--without KEYWORD]… [--keep FILE]
 *
 * Says "port N", then serves 127.0.0.1:N in one thread until SIGTERM, then says what it counted:
 * messages, connections, turns (how often a client had waited for all it was owed before it went
 * on: round trips), errors (commands out of order), resumed TLS sessions, octets of messages, and
 * seconds from the first accept to the last message taken.
 *
 * --rtt is a delay line: what leaves, leaves so much later, the greeting twice (the round trip of
 * TCP's own); what is pipelined waits for nothing. --nagle sends each reply by a write of its own,
 * Nagle's algorithm being on. --keep writes down what came, for spec/bench/run to look at. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 256 * 1024, EVENTS = 64, CONNECTIONS_MAX = 1024, END_LEN = 5 };

struct text {
    char *data;
    size_t len, max;
};

/* Of what waits in `wire`, the octets before `end` may leave at `due`. */
struct mark {
    int64_t due;
    size_t end;
};

enum state { COMMAND, DATA, CHUNK };

struct connection {
    int fd;
    enum state state;
    bool mail, quit, chunk_last, chunk_refused, waits_for_room;
    bool owed; /* something was said since the last turn */
    bool tls_next;
    size_t to_count, chunk_left, in_start, in_end;
    char *in;
    struct text replies, wire, kept, envelope;
    size_t wire_at, wire_ready; /* has left; may leave */
    struct mark *marks;
    size_t marks_at, marks_end, marks_max;
    SSL *ssl;
};

static struct {
    SSL_CTX *tls;
    int64_t rtt;
    bool auth, nagle, no_chunking, no_pipelining;
    FILE *keep;
} options;

static struct {
    uint64_t messages, connections, turns, errors, resumed, octets;
    int64_t first, last;
} count;

static struct connection *connections[CONNECTIONS_MAX];
static size_t connections_len;
static int epoll;
static volatile sig_atomic_t over;

static void die(const char *what)
{
    fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *grown(void *data, size_t len, size_t *max, size_t size)
{
    if (len <= *max) return data;
    while (*max < len)
        *max = *max == 0 ? 1024 : 2 * *max;
    data = realloc(data, *max * size);
    if (data == NULL) die("memory");
    return data;
}

static void append(struct text *text, const char *data, size_t len)
{
    text->data = grown(text->data, text->len + len, &text->max, 1);
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

/* ---- what leaves ---- */

static void watch(struct connection *c, bool room)
{
    if (room == c->waits_for_room) return;
    struct epoll_event event = {.events = EPOLLIN | (room ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event) != 0) die("epoll_ctl");
    c->waits_for_room = room;
}

static size_t ready(struct connection *c)
{
    if (options.rtt == 0) return c->wire.len;
    int64_t at = c->marks_at < c->marks_end ? now() : 0;
    while (c->marks_at < c->marks_end && c->marks[c->marks_at].due <= at)
        c->wire_ready = c->marks[c->marks_at++].end;
    return c->wire_ready;
}

static void push(struct connection *c)
{
    for (size_t end = ready(c); c->wire_at < end;) {
        ssize_t n = send(c->fd, c->wire.data + c->wire_at, end - c->wire_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, true);
            return;
        }
        if (n < 0) { /* gone; reading tells */
            c->wire_at = c->wire.len;
            break;
        }
        c->wire_at += (size_t)n;
    }
    watch(c, false);
    if (c->wire_at < c->wire.len) return;
    c->wire_at = c->wire_ready = c->wire.len = c->marks_at = c->marks_end = 0;
    if (c->quit) shutdown(c->fd, SHUT_WR);
}

static void from_tls(struct connection *c)
{
    char piece[16384];
    int n;
    while ((n = BIO_read(SSL_get_wbio(c->ssl), piece, sizeof piece)) > 0)
        append(&c->wire, piece, (size_t)n);
}

/* Replies go out together, when there is nothing more to read. */
static void flush(struct connection *c, int64_t delay)
{
    /* Nobody waits for the tickets that follow a handshake. */
    if (c->replies.len > 0 || (c->ssl != NULL && !SSL_is_init_finished(c->ssl))) c->owed = true;
    if (c->ssl != NULL) {
        if (c->replies.len > 0) SSL_write(c->ssl, c->replies.data, (int)c->replies.len);
        from_tls(c);
    } else {
        append(&c->wire, c->replies.data, c->replies.len);
    }
    c->replies.len = 0;
    if (c->wire_at == c->wire.len) return;
    if (delay > 0) {
        c->marks = grown(c->marks, c->marks_end + 1, &c->marks_max, sizeof *c->marks);
        c->marks[c->marks_end++] = (struct mark){now() + delay, c->wire.len};
    }
    push(c);
}

static void reply(struct connection *c, const char *text, size_t len)
{
    append(&c->replies, text, len);
    if (options.nagle) flush(c, options.rtt);
}
#define REPLY(c, text) reply((c), text "\r\n", sizeof(text "\r\n") - 1)

/* ---- what comes ---- */

static void keep(struct connection *c, const char *data, size_t len)
{
    if (options.keep != NULL) append(&c->kept, data, len);
}

static void message_taken(struct connection *c, char how)
{
    count.messages++;
    c->mail = false;
    c->to_count = 0;
    REPLY(c, "250 2.0.0 Ok");
    if (options.keep == NULL) return;
    fwrite(c->envelope.data, 1, c->envelope.len, options.keep);
    fprintf(options.keep, "= %c %zu\n", how, c->kept.len);
    fwrite(c->kept.data, 1, c->kept.len, options.keep);
    c->kept.len = c->envelope.len = 0;
}

static void keep_command(struct connection *c, const char *line, size_t len)
{
    if (options.keep == NULL) return;
    append(&c->envelope, line, len);
    append(&c->envelope, "\n", 1);
}

static void ehlo(struct connection *c)
{
    REPLY(c, "250-sink.example");
    if (!options.no_pipelining) REPLY(c, "250-PIPELINING");
    REPLY(c, "250-SIZE 104857600");
    REPLY(c, "250-8BITMIME");
    REPLY(c, "250-SMTPUTF8");
    if (!options.no_chunking) REPLY(c, "250-CHUNKING");
    if (options.tls != NULL && c->ssl == NULL) REPLY(c, "250-STARTTLS");
    if (options.auth) REPLY(c, "250-AUTH PLAIN");
    REPLY(c, "250 ENHANCEDSTATUSCODES");
}

static void out_of_order(struct connection *c)
{
    count.errors++;
    REPLY(c, "503 5.5.1 Out of order");
}

static void chunk(struct connection *c, const char *line)
{
    char *end;
    c->chunk_left = strtoul(line + 4, &end, 10);
    c->chunk_last = *end == ' ';
    c->chunk_refused = !c->mail || c->to_count == 0;
    c->state = CHUNK;
    if (c->chunk_refused && c->chunk_last) count.errors++;
}

/* The text after DATA begins with the line end of DATA: so CRLF.CRLF is the end even of nothing. */
static size_t data(struct connection *c, size_t len)
{
    if (!c->mail || c->to_count == 0) {
        out_of_order(c);
        return len + 2;
    }
    c->state = DATA;
    REPLY(c, "354 Go on");
    return len;
}

static void starttls(struct connection *c)
{
    REPLY(c, "220 2.0.0 Go on");
    c->tls_next = true;
    c->mail = false;
    c->to_count = 0;
}

#define WORD(a, b, c, d)                                                                           \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* -> octets of it that are done with */
static size_t command(struct connection *c, const char *line, size_t len)
{
    uint32_t word = 0;
    if (len >= 4) memcpy(&word, line, 4);
    word |= 0x20202020u;
    if (word == WORD('m', 'a', 'i', 'l')) {
        c->mail = true;
        keep_command(c, line, len);
        REPLY(c, "250 2.1.0 Ok");
    } else if (word == WORD('r', 'c', 'p', 't')) {
        c->to_count++;
        keep_command(c, line, len);
        if (!c->mail) count.errors++;
        REPLY(c, "250 2.1.5 Ok");
    } else if (word == WORD('b', 'd', 'a', 't')) {
        chunk(c, line);
    } else if (word == WORD('d', 'a', 't', 'a')) {
        return data(c, len);
    } else if (word == WORD('e', 'h', 'l', 'o')) {
        ehlo(c);
    } else if (word == WORD('q', 'u', 'i', 't')) {
        REPLY(c, "221 2.0.0 Bye");
        c->quit = true;
    } else if (word == WORD('a', 'u', 't', 'h')) {
        REPLY(c, "235 2.7.0 Ok");
    } else if (word == WORD('s', 't', 'a', 'r')) {
        starttls(c);
    } else if (word == WORD('r', 's', 'e', 't')) {
        c->mail = false;
        c->to_count = 0;
        REPLY(c, "250 2.0.0 Ok");
    } else if (word == WORD('n', 'o', 'o', 'p') || word == WORD('h', 'e', 'l', 'o')) {
        REPLY(c, "250 2.0.0 Ok");
    } else {
        count.errors++;
        REPLY(c, "500 5.5.2 What?");
    }
    return len + 2;
}

/* Each returns the octets that are done with; 0 where more must come. */

static size_t read_command(struct connection *c, const char *at, size_t len)
{
    const char *end = memchr(at, '\n', len);
    if (end == NULL) return 0;
    if (end == at || end[-1] != '\r') {
        count.errors++;
        REPLY(c, "500 5.5.2 Bare line feed");
        return (size_t)(end - at) + 1;
    }
    return command(c, at, (size_t)(end - at) - 1);
}

static const char *find_end(const char *at, size_t len)
{
    const char *end = at + len - 2;
    for (const char *dot = at + 2; dot < end; dot++) {
        dot = memchr(dot, '.', (size_t)(end - dot));
        if (dot == NULL) return NULL;
        if (dot[-1] == '\n' && dot[1] == '\r' && dot[2] == '\n' && dot[-2] == '\r') return dot - 2;
    }
    return NULL;
}

static size_t read_data(struct connection *c, const char *at, size_t len)
{
    if (len < END_LEN) return 0;
    const char *end = find_end(at, len);
    size_t taken = end != NULL ? (size_t)(end - at) + END_LEN : len - (END_LEN - 1);
    count.octets += taken;
    keep(c, at, taken);
    if (end != NULL) {
        c->state = COMMAND;
        message_taken(c, 'D');
    }
    return taken;
}

static size_t read_chunk(struct connection *c, const char *at, size_t len)
{
    size_t taken = len < c->chunk_left ? len : c->chunk_left;
    if (!c->chunk_refused) {
        count.octets += taken;
        keep(c, at, taken);
    }
    c->chunk_left -= taken;
    if (c->chunk_left > 0) return taken;
    c->state = COMMAND;
    if (c->chunk_refused) {
        REPLY(c, "503 5.5.1 Out of order");
    } else if (c->chunk_last) {
        message_taken(c, 'B');
    } else {
        REPLY(c, "250 2.0.0 Ok");
    }
    return taken;
}

static void read_all(struct connection *c)
{
    for (;;) {
        const char *at = c->in + c->in_start;
        size_t len = c->in_end - c->in_start, taken = 0;
        enum state before = c->state;
        switch (before) {
        case COMMAND: taken = read_command(c, at, len); break;
        case DATA: taken = read_data(c, at, len); break;
        case CHUNK: taken = read_chunk(c, at, len); break;
        }
        c->in_start += taken;
        if (taken == 0 && c->state == before) break;
    }
    c->in_end -= c->in_start;
    memmove(c->in, c->in + c->in_start, c->in_end);
    c->in_start = 0;
    if (c->in_end == IN_MAX) { /* no command is that long */
        count.errors++;
        c->in_end = 0;
    }
}

/* ---- TLS ---- */

static void begin_tls(struct connection *c)
{
    c->tls_next = false;
    if (c->in_end > 0) count.errors++; /* said in clear, behind STARTTLS */
    c->in_end = 0;
    c->ssl = SSL_new(options.tls);
    if (c->ssl == NULL) die("SSL_new");
    SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(c->ssl);
}

static void read_tls(struct connection *c, const char *data, size_t len)
{
    bool before = SSL_is_init_finished(c->ssl);
    BIO_write(SSL_get_rbio(c->ssl), data, (int)len);
    int n;
    while ((n = SSL_read(c->ssl, c->in + c->in_end, (int)(IN_MAX - c->in_end))) > 0) {
        c->in_end += (size_t)n;
        read_all(c);
    }
    if (!before && SSL_is_init_finished(c->ssl) && SSL_session_reused(c->ssl)) count.resumed++;
    int error = SSL_get_error(c->ssl, n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN) count.errors++;
    ERR_clear_error();
}

/* ---- connections ---- */

static void end(struct connection *c)
{
    for (size_t i = 0; i < connections_len; i++)
        if (connections[i] == c) connections[i] = connections[--connections_len];
    close(c->fd);
    SSL_free(c->ssl);
    free(c->in);
    free(c->replies.data);
    free(c->wire.data);
    free(c->kept.data);
    free(c->envelope.data);
    free(c->marks);
    free(c);
}

static void hear(struct connection *c)
{
    static char raw[IN_MAX];
    char *to = c->ssl != NULL ? raw : c->in + c->in_end;
    size_t room = c->ssl != NULL ? sizeof raw : IN_MAX - c->in_end;
    ssize_t n = recv(c->fd, to, room, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (c->owed && c->wire_at == c->wire.len) {
        count.turns++;
        c->owed = false;
    }
    if (n <= 0) {
        end(c);
        return;
    }
    uint64_t before = count.messages;
    if (c->ssl != NULL) {
        read_tls(c, raw, (size_t)n);
    } else {
        c->in_end += (size_t)n;
        read_all(c);
    }
    if (count.messages != before) count.last = now();
    flush(c, options.rtt);
    if (c->tls_next) begin_tls(c);
}

static void greet(int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (count.connections++ == 0) count.first = now();
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL || connections_len == CONNECTIONS_MAX) die("too many connections");
    connections[connections_len++] = c;
    c->fd = fd;
    c->in = malloc(IN_MAX);
    if (c->in == NULL) die("memory");
    if (!options.nagle) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
    append(&c->replies, "220 sink.example ESMTP\r\n", 24);
    flush(c, 2 * options.rtt);
}

/* Sends what is due; -> the time until more is, NULL where nothing waits. */
static const struct timespec *next_due(void)
{
    static struct timespec left;
    int64_t first = 0;
    if (options.rtt == 0) return NULL;
    for (size_t i = 0; i < connections_len; i++) {
        struct connection *c = connections[i];
        push(c);
        if (c->marks_at == c->marks_end) continue;
        int64_t at = c->marks[c->marks_at].due;
        if (first == 0 || at < first) first = at;
    }
    if (first == 0) return NULL;
    int64_t wait = first - now();
    left.tv_sec = wait > 0 ? wait / 1000000000 : 0;
    left.tv_nsec = wait > 0 ? wait % 1000000000 : 0;
    return &left;
}

static void serve(int listener)
{
    struct epoll_event events[EVENTS];
    sigset_t none;
    sigemptyset(&none);
    while (!over) {
        int n = epoll_pwait2(epoll, events, EVENTS, next_due(), &none);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL) {
                greet(listener);
                continue;
            }
            if ((events[i].events & EPOLLOUT) != 0) push(c);
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) hear(c);
        }
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 511) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        die("listen");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void offer_tls(const char *cert, const char *key)
{
    options.tls = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(options.tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(options.tls, key, SSL_FILETYPE_PEM) != 1)
        die(cert);
}

static void leave_out(const char *keyword)
{
    if (strcmp(keyword, "CHUNKING") == 0) options.no_chunking = true;
    if (strcmp(keyword, "PIPELINING") == 0) options.no_pipelining = true;
}

static void read_options(char **argv)
{
    for (; *argv != NULL; argv++) {
        const char *name = *argv;
        if (strcmp(name, "--nagle") == 0) {
            options.nagle = true;
            continue;
        }
        if (strcmp(name, "--auth") == 0) {
            options.auth = true;
            continue;
        }
        errno = EINVAL;
        if (argv[1] == NULL) die(name);
        argv++;
        if (strcmp(name, "--tls") == 0 && argv[1] != NULL) {
            offer_tls(argv[0], argv[1]);
            argv++;
        } else if (strcmp(name, "--rtt") == 0) {
            options.rtt = strtol(*argv, NULL, 10) * 1000000;
        } else if (strcmp(name, "--without") == 0) {
            leave_out(*argv);
        } else if (strcmp(name, "--keep") == 0) {
            options.keep = fopen(*argv, "wb");
            if (options.keep == NULL) die(*argv);
        } else {
            die(name);
        }
    }
}

static void stop(int number)
{
    (void)number;
    over = 1;
}

int main(int argc, char **argv)
{
    (void)argc;
    read_options(argv + 1);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* it comes while we wait, and only then */
    signal(SIGTERM, stop);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_anywhere();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll");
    serve(listener);
    if (options.keep != NULL) fclose(options.keep);
    printf("messages=%lu connections=%lu turns=%lu errors=%lu resumed=%lu octets=%lu "
           "seconds=%.6f\n",
           count.messages, count.connections, count.turns, count.errors, count.resumed,
           count.octets, count.messages > 0 ? (double)(count.last - count.first) / 1e9 : 0.0);
    return 0;
}
