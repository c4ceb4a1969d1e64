/* dots.c - every message over CR, LF, "." and "x" up to a length, through a session's body.
 *
 * Each is given whole, in two pieces cut at every place, octet by octet, whole through an output
 * buffer with hardly any room, and lent. What the session then wants to send must be what a naive
 * writer makes of the message, and must keep what RFC 5321 asks for (2.3.8, 4.1.1.4, 4.5.2), looked
 * for in the bytes themselves.
 *
 *    dots LENGTH     says "N messages, M ways" and ends with 0, or shows the first that fails.
 */
#include "../../csrc/engine/session.h"

#include <stdio.h>
#include <stdlib.h>

enum { LENGTH_MAX = 12, WIRE_MAX = 2 * LENGTH_MAX + 8 };

struct wire {
    size_t len;
    char data[WIRE_MAX];
};

static void add(struct wire *w, const char *data, size_t len)
{
    if (len > WIRE_MAX - w->len) exit(2);
    memcpy(w->data + w->len, data, len);
    w->len += len;
}

static void show(const char *what, const char *data, size_t len)
{
    printf("%s: ", what);
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\r')
            printf("\\r");
        else if (data[i] == '\n')
            printf("\\n");
        else
            putchar(data[i]);
    }
    putchar('\n');
}

/* ---- the naive writer ---- */

/* The line from `at`, and where the next begins: behind CR LF, CR or LF, whichever is there. */
static size_t line_at(const char *data, size_t len, size_t at, size_t *line_len)
{
    size_t end = at;
    while (end < len && data[end] != '\r' && data[end] != '\n')
        end++;
    *line_len = end - at;
    if (end + 1 < len && data[end] == '\r' && data[end + 1] == '\n') return end + 2;
    return end < len ? end + 1 : end;
}

static void write_naively(const char *data, size_t len, struct wire *w)
{
    w->len = 0;
    for (size_t at = 0, line_len; at < len;) {
        size_t next = line_at(data, len, at, &line_len);
        if (line_len > 0 && data[at] == '.') add(w, ".", 1);
        add(w, data + at, line_len);
        add(w, "\r\n", 2);
        at = next;
    }
    add(w, ".\r\n", 3);
}

/* ---- what the wire must never show ---- */

static const char *fault(const char *data, size_t len)
{
    size_t line_at = 0, ends = 0;
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r')) return "a bare LF";
        if (data[i] == '\r' && (i + 1 == len || data[i + 1] != '\n')) return "a bare CR";
        if (data[i] != '\n') continue;
        if (i - line_at == 2 && data[line_at] == '.') {
            ends++;
            if (i + 1 != len) return "a lone dot before the end";
        } else if (data[line_at] == '.' && data[line_at + 1] != '.') {
            return "a dot at a line's begin alone";
        }
        line_at = i + 1;
    }
    return ends == 1 ? NULL : "no end";
}

/* ---- the session ---- */

/* A session that waits for a message, and what of it a message changes: all but the options,
 * trouble, the texts heard and the output. Copies of these are put back for each message. */
static struct smtp_session *session;
static struct smtp_recipient bob = {.address = {"bob@there.example", 17}};
static struct smtp_transaction mail = {
    .from = {"ann@me.example", 14}, .to = &bob, .to_count = 1, .source_len = SMTP_LEN_UNKNOWN};

enum {
    FRONT_AT = offsetof(struct smtp_session, next),
    FRONT_LEN = offsetof(struct smtp_session, line_len) - FRONT_AT,
    MAIL_LEN = offsetof(struct smtp_transaction, trouble),
    BACK_AT = offsetof(struct smtp_session, in_line),
    BACK_LEN = offsetof(struct smtp_session, argument) - BACK_AT
};

struct state {
    char mail[MAIL_LEN];
    char front[FRONT_LEN], back[BACK_LEN];
};

static void save(struct state *state)
{
    memcpy(state->mail, &mail, MAIL_LEN);
    memcpy(state->front, (char *)session + FRONT_AT, FRONT_LEN);
    memcpy(state->back, (char *)session + BACK_AT, BACK_LEN);
}

static void restore(const struct state *state)
{
    memcpy(&mail, state->mail, MAIL_LEN);
    memcpy((char *)session + FRONT_AT, state->front, FRONT_LEN);
    memcpy((char *)session + BACK_AT, state->back, BACK_LEN);
}

static void hear(const char *reply)
{
    smtp_send_ack(session, smtp_send_buf(session).len);
    smtp_recv(session, reply, strlen(reply));
}

static void begin_message(struct smtp_transaction *m)
{
    smtp_transaction_add(session, m);
    hear("250 ok\r\n");
    hear("250 ok\r\n");
    hear("354 go\r\n");
    if (!(smtp_wants(session) & SMTP_WANT_BODY)) exit(2);
}

/* Another message went before, and ended within a line end. */
static void open_session(struct state *waiting)
{
    static struct smtp_transaction before;
    struct smtp_options options = {.domain = {"me.example", 10}};
    void *memory = malloc(smtp_session_size()), *work = malloc(smtp_work_size(SMTP_BUFFER_LEN_MIN));
    if (memory == NULL || work == NULL) exit(2);
    session = smtp_session_init(memory, work, SMTP_BUFFER_LEN_MIN, &options, NULL);
    hear("220 hi\r\n");
    hear("250 mx\r\n");
    before = mail;
    begin_message(&before);
    smtp_body(session, ".\rx\r", 4);
    smtp_body_end(session);
    hear("250 ok\r\n");
    begin_message(&mail);
    save(waiting);
}

static size_t ways;

/* The rest of the message is said, and its end; behind what was sent before. */
static void compare(const char *how, const char *data, size_t len, struct wire *sent,
                    const struct wire *want)
{
    smtp_body_end(session);
    struct smtp_text rest = smtp_send_buf(session);
    add(sent, rest.data, rest.len);
    ways++;
    if (sent->len == want->len && memcmp(sent->data, want->data, want->len) == 0) return;
    printf("%s, this is not what the naive writer writes\n", how);
    show("message", data, len);
    show("sent   ", sent->data, sent->len);
    show("wanted ", want->data, want->len);
    exit(1);
}

static void say(const char *data, size_t len)
{
    if (smtp_body(session, data, len) != len) exit(2);
}

static void in_octets(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        say(data + i, 1);
}

/* Little room: a dot, another, one more, and the line end that is kept free. */
static void with_little_room(const char *data, size_t len, struct wire *sent)
{
    size_t out_max = session->out_max;
    session->out_max = 5;
    for (size_t at = 0; at < len;) {
        at += smtp_body(session, data + at, len - at);
        struct smtp_text some = smtp_send_buf(session);
        if (some.len == 0 && at < len) exit(2);
        add(sent, some.data, some.len);
        smtp_send_ack(session, some.len);
    }
    session->out_max = out_max;
}

/* All lines that can be are lent; they leave octet by octet. */
static void lending(const char *data, size_t len, struct wire *sent)
{
    size_t out_max = session->out_max;
    session->out_max = 8;
    for (size_t at = 0; at < len;) {
        size_t taken = smtp_body_lend(session, data + at, len - at);
        struct smtp_text some = smtp_send_buf(session);
        if (taken == 0 && some.len == 0) exit(2);
        at += taken;
        for (; some.len > 0; some = smtp_send_buf(session)) {
            add(sent, some.data, 1);
            smtp_send_ack(session, 1);
        }
    }
    session->out_max = out_max;
}

static void try(const struct state *waiting, const char *data, size_t len)
{
    struct wire want, sent;
    write_naively(data, len, &want);
    const char *why = fault(want.data, want.len);
    if (why != NULL) {
        printf("the naive writer writes %s\n", why);
        show("message", data, len);
        exit(1);
    }
    for (size_t cut = 0; cut <= len; cut++) {
        restore(waiting);
        if (cut > 0) say(data, cut);
        say(data + cut, len - cut);
        sent.len = 0;
        compare(cut == 0 ? "whole" : "in two pieces", data, len, &sent, &want);
    }
    restore(waiting);
    in_octets(data, len);
    sent.len = 0;
    compare("octet by octet", data, len, &sent, &want);
    restore(waiting);
    sent.len = 0;
    with_little_room(data, len, &sent);
    compare("with little room", data, len, &sent, &want);
    restore(waiting);
    sent.len = 0;
    lending(data, len, &sent);
    compare("lent", data, len, &sent, &want);
}

int main(int argc, char **argv)
{
    static const char letters[4] = "\r\n.x";
    static struct state waiting;
    size_t length_max = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (length_max == 0 || length_max > LENGTH_MAX) return 2;
    open_session(&waiting);
    size_t messages = 0;
    for (size_t len = 0; len <= length_max; len++) {
        for (size_t number = 0; number < (size_t)1 << (2 * len); number++) {
            char data[LENGTH_MAX];
            for (size_t i = 0; i < len; i++)
                data[i] = letters[number >> (2 * i) & 3];
            try(&waiting, data, len);
            messages++;
        }
    }
    printf("%zu messages, %zu ways\n", messages, ways);
    return 0;
}
