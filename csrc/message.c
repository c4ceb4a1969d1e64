/* message.c - DATA: line ends, dots, and the one end of the message. */
#include "octets.h"
#include "session.h"

#pragma GCC visibility push(hidden)

step say_data(struct smtp_session *s)
{
    put_words(s, "DATA");
    return STEP_body;
}

static void begin_body(struct smtp_session *s)
{
    s->in_line = s->after_cr = false;
    s->in_header = true;
    s->body_line_len = 0;
    s->out_message = true;
}

/* A refused envelope and 354 nevertheless: a lone dot gets us out (RFC 2920 3.1), unless the server
 * took a recipient behind a sender it had refused; nobody knows what it would do with the dot. */
step hear_data(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_mail *m = s->mails;
    if (reply_class(r) == 2) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (reply_class(r) == 3) {
        if (m->contradicted) return drop(s, SMTP_ERROR_UNEXPECTED, r);
        begin_body(s);
        return m->trouble.error != SMTP_ERROR_NONE ? STEP_final : STEP_body;
    }
    refuse(s, SMTP_ERROR_DATA_REFUSED, r);
    return STEP_rset;
}

/* ---- the text: CR LF at each line's end (RFC 5321 2.3.8), dots doubled (4.5.2) ---- */

static void end_line(struct smtp_session *s)
{
    put(s, "\r\n", 2);
    if (!s->in_line) s->in_header = false;
    s->in_line = false;
    s->body_line_len = 0;
}

/* With SMTPUTF8 the header may hold UTF-8, whatever is said of the body (RFC 6531 3.6). */
static bool may_be_8bit(const struct smtp_session *s)
{
    return s->mails->eightbit || (s->mails->utf8 && s->in_header);
}

/* A run of text within one line. Returns its length, or 0 where the buffer is full. */
static size_t put_run(struct smtp_session *s, const char *data, size_t len)
{
    size_t room = wire_room(s);
    if (room < 2) return 0;
    if (!s->in_line && *data == '.') put(s, ".", 1);
    if (len > wire_room(s)) len = wire_room(s);
    put(s, data, len);
    s->in_line = true;
    s->body_line_len += len;
    return len;
}

static size_t fail(struct smtp_session *s, enum smtp_error error, size_t taken)
{
    s->next = drop(s, error, NULL);
    return taken;
}

/* CR, LF and CR LF are one line end each; nothing else of them gets onto the wire. */
static size_t take_line_end(struct smtp_session *s, const char *data, size_t len)
{
    bool second = *data == '\n' && s->after_cr;
    if (!second && wire_room(s) < 2) return 0;
    s->after_cr = false;
    if (second) return 1;
    end_line(s);
    if (*data == '\r' && len > 1 && data[1] == '\n') return 2;
    s->after_cr = *data == '\r';
    return 1;
}

/* A run of text or one line end. Returns how much was taken: 0 where the buffer is full. */
static size_t take_some(struct smtp_session *s, const char *data, size_t len)
{
    if (is_line_end(*data)) return take_line_end(s, data, len);
    size_t taken = put_run(s, data, plain_len(data, len, may_be_8bit(s)));
    if (taken > 0) s->after_cr = false;
    return taken;
}

static enum smtp_error body_error(const struct smtp_session *s, char c)
{
    if (c == '\0') return SMTP_ERROR_BODY_NUL;
    if ((c & 0x80) && !may_be_8bit(s)) return SMTP_ERROR_BODY_8BIT;
    if (s->body_line_len > SMTP_BODY_LINE_MAX) return SMTP_ERROR_BODY_LINE;
    return SMTP_ERROR_NONE;
}

size_t smtp_body(struct smtp_session *s, const char *data, size_t len)
{
    size_t at = 0;
    if (s->next != STEP_body || s->due_count > 0) return 0;
    struct smtp_mail *m = s->mails;
    while (at < len) {
        enum smtp_error error = body_error(s, data[at]);
        if (error != SMTP_ERROR_NONE) return fail(s, error, at);
        size_t taken = take_some(s, data + at, len - at);
        if (taken == 0) break;
        at += taken;
    }
    m->taken_len += at;
    if (s->body_line_len > SMTP_BODY_LINE_MAX) return fail(s, SMTP_ERROR_BODY_LINE, at);
    if (m->source_len != SMTP_LEN_UNKNOWN && m->taken_len > m->source_len)
        return fail(s, SMTP_ERROR_BODY_LEN, at);
    return at;
}

void smtp_body_end(struct smtp_session *s)
{
    if (s->next != STEP_body || s->due_count > 0) return;
    const struct smtp_mail *m = s->mails;
    if (m->source_len != SMTP_LEN_UNKNOWN && m->taken_len != m->source_len) {
        fail(s, SMTP_ERROR_BODY_LEN, 0);
        return;
    }
    s->next = STEP_final;
    dialogue_go_on(s);
}

/* ---- the end ---- */

step say_final(struct smtp_session *s)
{
    put_words(s, s->in_line ? "\r\n.\r\n" : ".\r\n");
    return STEP_ready;
}

step hear_final(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_mail *m = s->mails;
    if (m->trouble.error != SMTP_ERROR_NONE) return STEP_rset; /* the lone dot */
    if (reply_class(r) == 3) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    answer_take(&m->answer, r);
    if (reply_class(r) >= 4) refuse(s, SMTP_ERROR_DATA_REFUSED, r);
    m->settled = true;
    return STEP_ready;
}

#pragma GCC visibility pop
