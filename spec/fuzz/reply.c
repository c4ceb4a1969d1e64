/* reply.c - a fuzzer for what a server says: any bytes are its greeting, its answers to EHLO,
 * STARTTLS and AUTH, and to questions.
 *
 * The first byte of the input is a set of options, the second the size of the pieces. The rest is
 * what the server says; it is heard reply by reply, as far as a few lines here see where one ends.
 * What must hold, besides what the sanitizers see:
 *   - heard at once and in pieces, it means the same;
 *   - a reply of the right form is one; anything else ends the session at once, and is an error but
 *     where it answers QUIT;
 *   - mechanisms are listed once, in upper case;
 *   - every text that is kept may be shown, and is not too long; every line that is said ends once.
 */
#include "../../csrc/smtp.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

enum { TLS_PREFERRED = 1, LMTP = 2, AUTH = 4, IN_CLEAR = 8, STEPS_MAX = 600, QUESTIONS = 6 };

struct outcome {
    enum smtp_error error;
    struct smtp_answer answer, asked;
    uint64_t size_max, replies;
    size_t server_len, capabilities_len, mechanisms_len, said_len;
    char server[SMTP_LINE_MAX], capabilities[SMTP_KEPT_MAX], mechanisms[SMTP_MECHANISMS_MAX];
    char said[65536];
};

struct talk {
    const char *in;
    size_t len, at, step;
    unsigned flags, questions;
    struct smtp_session *session;
    struct outcome *out;
};

/* ---- the model ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Is this line, without its line end, one of a reply? */
static bool is_shaped(const char *line, size_t len)
{
    return len >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) && is_digit(line[2]) &&
           (len == 3 || line[3] == ' ' || line[3] == '-') && memchr(line, 0, len) == NULL;
}

enum form { UNFINISHED, REPLY, NO_REPLY };

/* Returns the length of the reply at the beginning, of what cannot be one, or of all there is. */
static size_t reply_len(const char *in, size_t len, enum form *form)
{
    size_t at = 0;
    unsigned code = 0;
    while (at < len) {
        const char *line = in + at, *end = memchr(line, '\n', len - at);
        if (end == NULL) break;
        size_t line_len = (size_t)(end - line);
        at += line_len + 1;
        if (line_len > 0 && line[line_len - 1] == '\r') line_len--;
        *form = NO_REPLY;
        if (!is_shaped(line, line_len)) return at;
        unsigned own = (unsigned)((line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0');
        if (code != 0 && own != code) return at;
        code = own;
        *form = REPLY;
        if (line_len == 3 || line[3] == ' ') return at;
    }
    *form = UNFINISHED;
    return len;
}

/* ---- texts ---- */

static void must_be_shown(const char *data, size_t len)
{
    MUST(len == 0 || smtp_utf8_check(data, len));
    for (size_t i = 0; i < len; i++)
        MUST((unsigned char)data[i] >= ' ' || data[i] == '\n');
}

static size_t keep(char *out, size_t max, struct smtp_text text)
{
    MUST(text.len <= max);
    must_be_shown(text.data, text.len);
    if (text.len > 0) memcpy(out, text.data, text.len);
    return text.len;
}

static void check_answer(const struct smtp_answer *answer)
{
    MUST(answer->text_len <= SMTP_TEXT_MAX && answer->code <= 599);
    must_be_shown(answer->text, answer->text_len);
    MUST(answer->enhanced[0] == 0 || answer->enhanced[0] == answer->code / 100);
}

/* Every mechanism once, in upper case, one space between two. */
static void check_mechanisms(struct smtp_text list)
{
    MUST(list.len <= SMTP_MECHANISMS_MAX);
    for (size_t i = 0; i < list.len; i++) {
        char c = list.data[i];
        MUST(c >= ' ' && c <= '~' && !(c >= 'a' && c <= 'z'));
        MUST(c != ' ' || (i > 0 && i + 1 < list.len && list.data[i + 1] != ' '));
    }
}

static void look(struct talk *t)
{
    const struct smtp_facts *facts = smtp_session_facts(t->session);
    struct outcome *o = t->out;
    o->size_max = facts->size_max;
    o->server_len = keep(o->server, sizeof o->server, facts->server);
    o->capabilities_len = keep(o->capabilities, sizeof o->capabilities, facts->capabilities);
    o->mechanisms_len = keep(o->mechanisms, sizeof o->mechanisms, facts->mechanisms);
    check_mechanisms(facts->mechanisms);
    const struct smtp_status *status = smtp_session_status(t->session);
    o->error = status->trouble.error;
    o->answer = status->trouble.answer;
    o->asked = status->asked;
    o->replies = status->replies;
    check_answer(&o->answer);
    check_answer(&o->asked);
}

/* ---- the dialogue ---- */

static void say(struct talk *t)
{
    struct smtp_text buf = smtp_send_buf(t->session);
    struct outcome *o = t->out;
    MUST(buf.len > 0);
    if (buf.len < sizeof o->said - o->said_len) {
        memcpy(o->said + o->said_len, buf.data, buf.len);
        o->said_len += buf.len;
    }
    MUST(buf.len >= 2 && memcmp(buf.data + buf.len - 2, "\r\n", 2) == 0);
    for (size_t i = 0; i + 2 < buf.len; i++)
        MUST(buf.data[i] != '\0' && (buf.data[i] != '\n' || buf.data[i - 1] == '\r'));
    smtp_send_ack(t->session, buf.len);
}

/* The next reply, in pieces, each in a block of its own. */
static void hear(struct talk *t)
{
    enum form form;
    size_t len = reply_len(t->in + t->at, t->len - t->at, &form), end = t->at + len;
    uint64_t replies = smtp_session_status(t->session)->replies;
    if (len == 0) smtp_recv(t->session, NULL, 0);
    while (t->at < end) {
        size_t piece_len = end - t->at < t->step ? end - t->at : t->step;
        char *piece = malloc(piece_len);
        MUST(piece != NULL);
        memcpy(piece, t->in + t->at, piece_len);
        smtp_recv(t->session, piece, piece_len);
        free(piece);
        t->at += piece_len;
    }
    const struct smtp_status *status = smtp_session_status(t->session);
    if (form == NO_REPLY) {
        MUST(smtp_wants(t->session) & SMTP_WANT_NOTHING);
        MUST(status->trouble.error != SMTP_ERROR_NONE || t->questions > QUESTIONS);
    } else if (form == REPLY && len < SMTP_LINE_MAX / 2)
        MUST(status->replies == replies + 1);
}

static void ask(struct talk *t)
{
    if (t->questions++ < QUESTIONS)
        smtp_ask(t->session, (enum smtp_question)(t->questions % 3), (struct smtp_text){"x", 1});
    else
        smtp_quit(t->session);
}

static bool go_on(struct talk *t)
{
    unsigned wants = smtp_wants(t->session);
    look(t);
    if (wants & SMTP_WANT_NOTHING) return false;
    if (wants & SMTP_WANT_TLS)
        smtp_tls_started(t->session, true);
    else if (wants & SMTP_WANT_SECRET)
        smtp_secret(t->session, "sesame", 6);
    else if (wants & SMTP_WANT_SEND)
        say(t);
    else if (wants & SMTP_WANT_READY)
        ask(t);
    else {
        MUST(wants & SMTP_WANT_RECV);
        hear(t);
    }
    return true;
}

static void play(const char *in, size_t len, size_t step, unsigned flags, struct outcome *out)
{
    static void *memory, *work;
    struct smtp_options o = {
        .domain = {"me.example", 10},
        .tls = (flags & TLS_PREFERRED) ? SMTP_PREFER : SMTP_SKIP,
        .lmtp = flags & LMTP,
        .auth = (flags & AUTH) ? SMTP_PREFER : SMTP_SKIP,
        .username = {"ann", 3},
        .secret_in_clear = flags & IN_CLEAR,
        .mechs = {{{"PLAIN", 5}, SMTP_MECH_SHOWS_SECRET}, {{"LOGIN", 5}, SMTP_MECH_SHOWS_SECRET}},
        .mech_count = 2,
        .flight_max = 1,
    };
    struct talk t = {.in = in, .len = len, .step = step, .flags = flags, .out = out};
    if (memory == NULL) memory = malloc(smtp_session_size());
    if (work == NULL) work = malloc(smtp_work_size(SMTP_BUFFER_LEN_MIN));
    MUST(memory != NULL && work != NULL);
    memset(out, 0, sizeof *out);
    t.session = smtp_session_init(memory, work, SMTP_BUFFER_LEN_MIN, &o, NULL);
    unsigned steps = 0;
    while (go_on(&t))
        MUST(++steps < STEPS_MAX);
    char transcript[SMTP_TRANSCRIPT_MAX + 64];
    bool open;
    size_t transcript_len = smtp_transcript(t.session, transcript, &open);
    MUST(transcript_len <= sizeof transcript);
    must_be_shown(transcript, transcript_len);
    smtp_session_end(t.session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct outcome whole, pieces;
    if (len < 2) return 0;
    const char *in = (const char *)data + 2;
    play(in, len - 2, len, data[0], &whole);
    play(in, len - 2, 1 + data[1] % 40, data[0], &pieces);
    MUST(memcmp(&whole, &pieces, sizeof whole) == 0);
    return 0;
}
