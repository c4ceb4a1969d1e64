/* message.c - the message: DATA, line ends, dots, and the end. */
#include "../text/octets.h"
#include "session.h"

/* Returns the step with which the message begins: BDAT where it can be said (RFC 3030). An empty
 * message goes by DATA, because some servers do not take "BDAT 0 LAST". */
step message_begin(const struct smtp_session *s, const struct smtp_transaction *m)
{
    if (!offers(s, SMTP_EXT_CHUNKING) || m->size == 0) return STEP_data;
    return m->exact ? STEP_bdat : STEP_octets;
}

/* After a refused envelope 354 may come nevertheless: then a lone dot ends it (RFC 2920 3.1). If
 * the server accepted a recipient after a sender that it refused, it is unknown what it would do
 * with the dot, and the connection is closed. */
step hear_data(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (reply_class(r) == 2) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (reply_class(r) == 3) {
        if (m->contradicted) return drop(s, SMTP_ERROR_UNEXPECTED, r);
        return m->trouble.error != SMTP_ERROR_NONE ? STEP_final : STEP_body;
    }
    enum smtp_error first = required_first(s, r, false);
    refuse(s, m, first != SMTP_ERROR_NONE ? first : message_error(s, r), r);
    return STEP_rset;
}

/* ---- the text: CR LF at each line's end (RFC 5321 2.3.8), dots doubled (4.5.2) ---- */

static void end_line(struct smtp_session *s)
{
    put(s, "\r\n", 2);
    s->in_line = false;
    s->body_line_len = 0;
}

/* With SMTPUTF8 the header may contain UTF-8, whatever MAIL says of the body (RFC 6531 3.6). */
static bool may_be_8bit(const struct smtp_session *s)
{
    return s->spoken->eightbit || (s->spoken->utf8 && !s->header.over);
}

/* Writes a run of text within one line. Returns its length, or 0 where the buffer is full: its line
 * end always has room. In a chunk dots are not doubled: its octets are counted (RFC 3030 2). */
static size_t put_run(struct smtp_session *s, const char *data, size_t len)
{
    if (wire_room(s) < 4) return 0;
    if (!s->in_line && *data == '.' && s->next == STEP_body) put(s, ".", 1);
    if (len > wire_room(s) - 2) len = wire_room(s) - 2;
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

/* CR, LF and CRLF are all written as CRLF. */
static size_t take_line_end(struct smtp_session *s, const char *data, size_t len)
{
    bool ends;
    if (wire_room(s) < 2) return 0;
    size_t taken = line_end_take(&s->after_cr, data, len, &ends);
    if (ends) end_line(s);
    return taken;
}

/* Takes whole lines that are sent as they are: no dot is to be doubled. Returns their length. Where
 * they are many they are lent, if the caller agreed to that, and else written. Octets over 127 that
 * only the header may contain are left to the caller. */
static size_t take_lines(struct smtp_session *s, const char *data, size_t len)
{
    struct smtp_lines lines = {.eightbit = s->spoken->eightbit,
                               .dots = s->next != STEP_body,
                               .has_eightbit = true,
                               .has_dots = true}; /* which does not matter */
    size_t taken = 0;
    if (s->in_line || s->after_cr) return 0;
    if (s->may_lend && s->lent.len == 0 && !s->gathering && len >= lent_min(s)) {
        taken = smtp_lines_take(data, len, &lines);
        if (taken >= lent_min(s)) return lend(s, data, taken);
    }
    if (len > wire_room(s)) len = wire_room(s);
    if (taken == 0 || taken > len) taken = smtp_lines_take(data, len, &lines);
    return put(s, data, taken);
}

/* Takes lines, a run of text, or one line end. Returns how much was taken: 0 where the buffer is
 * full. */
static size_t take_some(struct smtp_session *s, const char *data, size_t len)
{
    size_t lines_len = take_lines(s, data, len);
    if (lines_len > 0) return lines_len;
    if (is_line_end(*data)) return take_line_end(s, data, len);
    size_t taken = put_run(s, data, plain_len(data, len, may_be_8bit(s)));
    if (taken > 0) s->after_cr = false;
    return taken;
}

/* Nothing may remain of the message before this one, not even if this one is empty. */
void body_begin(struct smtp_session *s)
{
    s->in_line = s->after_cr = false;
    s->header = (struct smtp_header){.octets = s->spoken->binary};
    s->body_line_len = 0;
}

static enum smtp_error body_error(const struct smtp_session *s, char c)
{
    if (s->spoken->binary) return SMTP_ERROR_NONE;
    if (c == '\0') return SMTP_ERROR_BODY_NUL;
    if ((c & 0x80) && !may_be_8bit(s)) return SMTP_ERROR_BODY_8BIT;
    if (s->body_line_len > SMTP_BODY_LINE_MAX) return SMTP_ERROR_BODY_LINE;
    return SMTP_ERROR_NONE;
}

static bool may_take(struct smtp_session *s)
{
    if (s->next == STEP_octets) return chunk_open(s);
    return s->next == STEP_body && s->due_count == 0;
}

/* Takes some of the message. Returns how much: 0 where the buffer is full. */
static size_t take_next(struct smtp_session *s, const char *data, size_t len,
                        enum smtp_error *error)
{
    *error = body_error(s, *data);
    if (*error != SMTP_ERROR_NONE) return 0;
    size_t taken = s->spoken->binary ? put(s, data, len) : take_some(s, data, len);
    smtp_header_look(&s->header, data, taken);
    if (s->header.fault != NULL) *error = smtp_error_find("source", s->header.fault);
    return taken;
}

static enum smtp_error length_error(const struct smtp_session *s)
{
    const struct smtp_transaction *m = s->spoken;
    if (s->body_line_len > SMTP_BODY_LINE_MAX) return SMTP_ERROR_BODY_LINE;
    if (m->source_len != SMTP_LEN_UNKNOWN && m->taken_len > m->source_len)
        return SMTP_ERROR_BODY_LEN;
    return chunk_is_over(s) ? SMTP_ERROR_BODY_LEN : SMTP_ERROR_NONE;
}

static size_t take(struct smtp_session *s, const char *data, size_t len)
{
    struct smtp_transaction *m = s->spoken;
    enum smtp_error error = SMTP_ERROR_NONE;
    size_t at = 0, taken = 1;
    if (m->ready) {
        at = put(s, data, len);
        m->taken_len += at;
        return at;
    }
    while (at < len && taken > 0) {
        taken = take_next(s, data + at, len - at, &error);
        if (error != SMTP_ERROR_NONE) return fail(s, error, at);
        at += taken;
    }
    m->taken_len += at;
    error = length_error(s);
    if (error != SMTP_ERROR_NONE) return fail(s, error, at);
    if (at < len && s->gathering) chunk_close(s, STEP_chunk);
    return at;
}

size_t body_take(struct smtp_session *s, const char *data, size_t len)
{
    uint64_t said_len = s->said_len;
    if (!may_take(s)) return 0;
    bool text = s->next == STEP_body;
    size_t taken = take(s, data, len);
    if (text) s->octets_left += s->said_len - said_len;
    return taken;
}

size_t smtp_body(struct smtp_session *s, const char *data, size_t len)
{
    size_t taken = body_take(s, data, len);
    dialogue_go_on(s);
    return taken;
}

size_t smtp_body_lend(struct smtp_session *s, const char *data, size_t len)
{
    s->may_lend = true;
    size_t taken = body_take(s, data, len);
    s->may_lend = false;
    dialogue_go_on(s);
    return taken;
}

void body_end(struct smtp_session *s)
{
    if (!may_take(s)) return;
    const struct smtp_transaction *m = s->spoken;
    if (m->source_len != SMTP_LEN_UNKNOWN && m->taken_len != m->source_len) {
        fail(s, SMTP_ERROR_BODY_LEN, 0);
        return;
    }
    if (s->next == STEP_body) {
        s->next = STEP_final;
        return;
    }
    if (s->in_line) end_line(s);
    chunk_close(s, STEP_last);
}

void smtp_body_end(struct smtp_session *s)
{
    body_end(s);
    dialogue_go_on(s);
}

/* ---- the end ---- */

step say_final(struct smtp_session *s)
{
    if (s->in_line) {
        put_words(s, "\r\n");
        s->octets_left += 2;
    }
    put_words(s, ".\r\n");
    return STEP_ready;
}

/* Takes an LMTP server's reply to the message, which is one recipient's verdict (RFC 2033 4.2). */
static void judge_next(struct smtp_transaction *m, const struct smtp_reply *r)
{
    if (m->to_judged == 0) { /* the refusals of RCPT decided nothing */
        m->trouble.answer.code = 0;
        m->demands = false;
    }
    while (m->to[m->to_judged].verdict != SMTP_ACCEPTED)
        m->to_judged++;
    refusal_weigh(m, 4, false, r);
    recipient_judged(m, &m->to[m->to_judged++], r);
}

static step recipient_answered(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    judge_next(m, r);
    if (reply_class(r) == 2) {
        m->taken = true;
        answer_take(&m->answer, r);
    }
    if (m->due_count > 1) return STEP_ready;
    if (!m->taken) {
        const struct smtp_answer kept = m->trouble.answer;
        const struct smtp_reply decider = answer_reply(&kept);
        refuse(s, m, message_error(s, &decider), &decider);
    }
    m->has_outcome = true;
    return STEP_ready;
}

/* Returns why the message, or a part of it, is refused. */
enum smtp_error message_error(const struct smtp_session *s, const struct smtp_reply *r)
{
    enum smtp_error first = required_first(s, r, true);
    if (first != SMTP_ERROR_NONE) return first;
    return reply_says_size(r) ? SMTP_ERROR_TOO_LARGE : SMTP_ERROR_DATA_REFUSED;
}

step message_judged(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (reply_class(r) == 3) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (s->opt.lmtp) return recipient_answered(s, r);
    answer_take(&m->answer, r);
    if (reply_class(r) >= 4) refuse(s, m, message_error(s, r), r);
    m->has_outcome = true;
    return STEP_ready;
}

void message_deferred(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (m->trouble.error != SMTP_ERROR_NONE) return;
    if (s->opt.lmtp)
        judge_next(m, r);
    else
        refuse(s, m, SMTP_ERROR_SHUTTING_DOWN, r);
}

step hear_final(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->transactions->trouble.error != SMTP_ERROR_NONE) return STEP_rset; /* the lone dot */
    return message_judged(s, r);
}
