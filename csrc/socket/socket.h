/* socket.h - the inside of smtp.socket: sockets and the resolver; smtp.tls, whose inside is in
 * tls.h, adds TLS to them. No Lua in here.
 *
 * A function that can fail returns a stable word (a string constant) or NULL for success, and
 * leaves a sentence for people in the text of its object. The words:
 *
 *   again      a signal came; call again with the same arguments, so that Lua's debug hook can run.
 *              In non-blocking mode also: this would wait; what for, stream_awaited tells
 *   timeout    the deadline of this call is over
 *   closed     the connection is not, or no longer, usable; of a read: the peer has ended it
 *   reset      of a read: it broke, and what was on its way may be lost
 *   resolve    the name has no address
 *   connect    no address answered; connect:refused, :unreachable, :no_ipv6, :source_address
 *   system     no descriptors, no memory
 *   protocol   the peer keeps TLS busy without end
 *   tls:X, certificate:X     see handshake.c and fault.c
 *
 * Times are milliseconds of a monotonic clock; a deadline that is over still allows one attempt
 * that does not wait. Nothing here restarts a wait after EINTR and nothing installs a signal
 * handler. */
#ifndef SOCKET_H
#define SOCKET_H

#include "../io.h"
#include "../port.h"

#include <netdb.h>
#include <poll.h>
#include <sys/un.h>

#pragma GCC visibility push(hidden)

enum {
    SOCKET_TEXT_MAX = 400,     /* bytes of a sentence, with its NUL */
    SOCKET_NAME_LEN_MAX = 256, /* bytes of a host name or a path, with its NUL */
    SOCKET_INPUT_MAX = 65536,  /* bytes heard at once */
    SOCKET_AWAITED_MAX = 16    /* descriptors of one connect */
};

struct smtp_socket;
struct connecting; /* connect.c */
struct resolving;  /* resolve.c */
struct tls;        /* tls.h */

/* One address to try. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
    socklen_t len;
};

/* What smtp.tls does for a socket that uses TLS. That module is loaded, and OpenSSL with it, when
 * TLS is first needed: so these are reached through pointers. See tls.h. */
struct tls_calls {
    const char *(*send)(struct smtp_socket *s, const char *data, size_t len, int64_t deadline_ms,
                        size_t *sent);
    const char *(*receive)(struct smtp_socket *s, size_t max, int64_t deadline_ms, size_t *len);
    void (*say_goodbye)(struct smtp_socket *s);
    void (*drop)(struct smtp_socket *s);
};

struct smtp_socket {
    struct smtp_io io; /* what others of ours see of it */
    int fd;            /* -1: closed */
    bool tcp, nodelay;
    bool heard;       /* something since we last sent: more of it may be due */
    bool said;        /* something since we last heard: it may not be acknowledged */
    int read_error;   /* errno of a read that failed, which the kernel reports once; 0: none */
    bool nonblocking; /* nothing here waits; "again" is said instead */
    int connect_ms, send_ms, read_ms;
    int recv_ms;                   /* the kernel's time-out of recv; 0: none */
    short events;                  /* what a call that said "again" waits for */
    int64_t until_ms;              /* when it must be over; 0: no such call is under way */
    struct connecting *connecting; /* a connect that was interrupted */
    int port;                      /* as asked for */
    struct address address; /* what it was connected to, or listens at; `len` 0: it was accepted */
    bool has_file;          /* it is a unix socket that listens, */
    dev_t device;           /* whose file is this one: */
    ino_t inode;            /* close removes it */
    unsigned char *(*input)(void); /* see below */
    struct tls *tls;
    const struct tls_calls *tls_calls;
    pid_t pid; /* the process that connected, began TLS or listens; 0: none. A forked child may
                  close it, no more */
    char host[SOCKET_NAME_LEN_MAX]; /* or unix:/path, as asked for */
    char text[SOCKET_TEXT_MAX];
};

/* wait.c */
int64_t wait_now_ms(void);
int64_t wait_deadline_ms(int timeout_ms);
bool wait_is_over(int64_t deadline_ms);
/* NULL: something is ready. "timeout", "again", "system". */
const char *wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_ms);
const char *wait_fd(int fd, short events, int64_t deadline_ms, short *ready);
/* words.c */
/* Writes a sentence, cut where it does not fit, and returns word. */
const char *words_say(char text[SOCKET_TEXT_MAX], const char *word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "system" for what the process lacks (descriptors, memory), otherwise the word given. */
const char *words_of_errno(int error, const char *word);

/* address.c */
/* A numeric address of either family, brackets allowed; false: it is something else. */
bool address_parse(struct address *address, const char *host, int port);
/* "unix:/path"; NULL or "connect". */
const char *address_unix(struct address *address, const char *host, char text[SOCKET_TEXT_MAX]);
bool address_is_unix(const char *host);
/* The host part and the port (0 for a unix socket) as text. */
void address_format(const struct address *address, char host[SOCKET_NAME_LEN_MAX], int *port);
/* "192.0.2.1:25", "[::1]:25" or the path. */
void address_label(const struct address *address, char label[SOCKET_NAME_LEN_MAX + 16]);

/* resolve.c: getaddrinfo in a thread of its own, because it cannot be given a deadline. */
/* NULL or "system". */
const char *resolve_begin(struct resolving **job, const char *host, char text[SOCKET_TEXT_MAX]);
/* Readable once the answer is there. */
int resolve_fd(const struct resolving *job);
/* The answer, once it is there; in the order of preference, families taking turns (RFC 8305, 4). */
const char *resolve_take(struct resolving *job, int port, struct address *list, int max, int *count,
                         char text[SOCKET_TEXT_MAX]);
/* Lets go of the job; a resolver that still hangs ends by itself. */
void resolve_end(struct resolving *job);

/* connect.c */
const char *connect_run(struct smtp_socket *s, const char *host, int port, const char *source);
nfds_t connect_awaited(const struct smtp_socket *s, struct pollfd *fds, int64_t *until_ms);
void connect_drop(struct smtp_socket *s);

/* stream.c: bytes from and to the kernel. What is read goes to s->input(): SOCKET_INPUT_MAX bytes
 * that all sockets of a thread share, because each call hands out all it has heard. */
/* When the call under way must be over. */
int64_t stream_deadline_ms(const struct smtp_socket *s, int timeout_ms);
/* The call says "again", and is to be called again once one of these events is there. */
const char *stream_put_off(struct smtp_socket *s, short events, int64_t deadline_ms);
/* Ends a call with this word, unless it is to be called again. */
const char *stream_ended(struct smtp_socket *s, const char *word);
/* From the kernel into the input, 1 to max bytes. */
const char *stream_read(struct smtp_socket *s, size_t max, int64_t deadline_ms, size_t *len);
/* To the kernel. NULL with *written = 0: there is something to read first. */
const char *stream_write(struct smtp_socket *s, const void *data, size_t len, int64_t deadline_ms,
                         size_t *written);

/* connection.c: bytes, in clear or inside TLS. */
void connection_init(struct smtp_socket *s);
/* Takes a connected descriptor. */
void connection_adopt(struct smtp_socket *s, int fd, int family);
/* Until all is sent, or there is something to read while sending would block: then *sent < len. A
 * byte counts as sent once the kernel has it; inside TLS, once it has the whole record. What was
 * not counted must be the beginning of the next call's data. */
const char *connection_send(struct smtp_socket *s, const void *data, size_t len, size_t *sent);
/* 1 to max bytes, which are valid until the next call of any socket in this thread. What was heard
 * before a close or reset comes first. */
const char *connection_receive(struct smtp_socket *s, size_t max, const char **data, size_t *len);
/* Frees everything and closes the descriptor without writing a byte. */
void connection_drop(struct smtp_socket *s);
/* Frees everything and closes the descriptor, after a close_notify where there is TLS; does not
 * wait. */
void connection_close(struct smtp_socket *s);
/* What a call that said "again" waits for: up to SOCKET_AWAITED_MAX descriptors, and until when. */
nfds_t connection_awaited(const struct smtp_socket *s, struct pollfd *fds, int64_t *until_ms);
struct waiting {
    const struct smtp_socket *socket; /* which said "again" */
    bool ready;                       /* it may go on */
};

/* Until one of them is ready. NULL, also where the time is over; "again", "system". */
const char *connection_wait_many(struct waiting *list, size_t count, int64_t deadline_ms);

/* listen.c: sockets that listen; up to `backlog` clients wait to be accepted. */
const char *listen_open(struct smtp_socket *l, const char *host, int port, int backlog);
const char *listen_accept(struct smtp_socket *l, struct smtp_socket *s, int timeout_ms);
/* Removes the file of a unix socket that listens, unless it is another one's by now. */
void listen_forget(struct smtp_socket *l);

#pragma GCC visibility pop

#endif
