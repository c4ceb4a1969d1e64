/* wire.c - bytes in and bytes out. */
#include "session.h"

void put_number(struct smtp_session *s, uint64_t number)
{
    char digits[SMTP_DECIMAL_MAX];
    size_t len = smtp_decimal(digits, number);
    put(s, digits, len);
}

void put_base64(struct smtp_session *s, const char *data, size_t len)
{
    size_t coded_len = (len + 2) / 3 * 4;
    if (coded_len > wire_room(s)) return;
    smtp_base64_encode(data, len, s->out + s->out_len);
    s->out_len += coded_len;
    s->said_len += coded_len;
}

/* Returns how many octets at the end of the buffer must not leave yet. */
static size_t hidden_len(const struct smtp_session *s)
{
    if (s->held != NULL) return (size_t)(s->said_len - s->held->held_at);
    return chunk_hidden_len(s);
}

size_t lend(struct smtp_session *s, const char *data, size_t len)
{
    s->lent = (struct smtp_text){data, len};
    s->said_len += len;
    return len;
}

/* What is lent follows what is in the buffer, and nothing is written until it has left. */
struct smtp_text smtp_send_buf(const struct smtp_session *s)
{
    size_t unsent_len = s->out_len - s->out_at, hidden = hidden_len(s);
    if (unsent_len == 0 && s->lent.len > 0)
        return (struct smtp_text){s->lent.data, s->lent.len - hidden};
    size_t of_lent = hidden < s->lent.len ? hidden : s->lent.len;
    return (struct smtp_text){s->out + s->out_at, unsent_len - (hidden - of_lent)};
}

/* A small rest of what is lent is written after all, so that there is room for what follows. */
static void ack_lent(struct smtp_session *s, size_t len)
{
    s->lent.data += len;
    s->lent.len -= len;
    size_t rest_len = s->lent.len;
    if (rest_len >= lent_min(s)) return;
    s->lent.len = 0;
    s->said_len -= rest_len;
    put(s, s->lent.data, rest_len);
}

const struct smtp_transaction *smtp_spoken(const struct smtp_session *s)
{
    return s->spoken;
}

void wire_wipe(struct smtp_session *s)
{
    if (s->out_secret) wipe(s->out, s->out_len);
    s->out_at = s->out_len = 0;
    s->out_secret = s->sent_in_part = false;
}

void smtp_send_ack(struct smtp_session *s, size_t len)
{
    size_t sent_max = smtp_send_buf(s).len;
    if (len > sent_max) len = sent_max;
    bool of_buffer = s->out_at < s->out_len;
    transcript_said(s, len);
    s->sent_len += len;
    if (of_buffer) s->out_at += len;
    if (s->out_at == s->out_len) {
        wire_wipe(s);
    } else if (s->out_at >= s->out_max / 2) {
        memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
        s->out_len -= s->out_at;
        if (s->out_secret) wipe(s->out + s->out_len, s->out_at);
        s->out_at = 0;
    }
    if (!of_buffer && s->lent.len > 0) ack_lent(s, len);
    s->sent_in_part = len < sent_max;
    dialogue_go_on(s);
}

/* Does the reply that begins answer nothing? A command that has not been sent cannot have been
 * answered. */
static bool is_unasked(const struct smtp_session *s)
{
    const struct smtp_run *oldest = oldest_run(s);
    const struct smtp_transaction *m = s->transactions;
    if (s->due_count == 0) return true;
    return (oldest->said == STEP_rcpt ? m->to[m->to_heard].end_at : oldest->end_at) > s->sent_len;
}

/* Takes what comes up to and with the next line end. Only a line that comes in parts has to be put
 * together. Returns how many bytes were taken. */
static size_t take_line(struct smtp_session *s, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t taken = end == NULL ? len : (size_t)(end - data) + 1;
    if (s->line_len == 0 && s->reply_lines == 0) s->reply_unasked = is_unasked(s);
    if (taken > SMTP_LINE_MAX - s->line_len) {
        s->next = drop(s, SMTP_ERROR_TOO_LONG, NULL);
        return len;
    }
    if (s->line_len == 0 && end != NULL) {
        reply_line(s, data, taken);
        return taken;
    }
    memcpy(s->work->line + s->line_len, data, taken);
    s->line_len += taken;
    if (end != NULL) {
        reply_line(s, s->work->line, s->line_len);
        s->line_len = 0;
    }
    return taken;
}

void smtp_recv(struct smtp_session *s, const char *data, size_t len)
{
    if (dialogue_over(s)) return;
    if (len == 0) {
        s->stream_ended = true;
        smtp_break(s, SMTP_ERROR_CLOSED, NULL, 0);
        return;
    }
    transcript_heard(s, data, len);
    while (len > 0 && !dialogue_over(s)) {
        if (s->next == STEP_tls && s->due_count == 0) {
            s->next = drop(s, SMTP_ERROR_INJECTED, NULL);
            return;
        }
        /* A TLS record has no line end that could be awaited. */
        if (s->status.replies == 0 && s->line_len == 0 && (*data == 0x16 || *data == 0x15)) {
            s->next = drop(s, SMTP_ERROR_TLS_BYTES, NULL);
            return;
        }
        size_t taken = take_line(s, data, len);
        data += taken;
        len -= taken;
    }
    dialogue_go_on(s);
}
