/* chunking.c - BDAT: the message in chunks whose octets are counted (RFC 3030).
 *
 * A message whose exact size is known leaves as one chunk, after its command. Any other message is
 * gathered in the buffer first, one chunk at a time, because the command states the chunk's length
 * and whether it is the last one. */
#include "session.h"

#include <stdio.h>

enum { HEAD_MAX = 32 }; /* room for a command before the octets that are gathered */

/* ---- octets ---- */

/* A chunk waits for the answers to all before it, other chunks included: some servers do not
 * consume a chunk that they refuse, and would read the message as commands. */
static bool may_gather(const struct smtp_session *s)
{
    if (s->spoken->trouble.error != SMTP_ERROR_NONE) return false;
    if (s->gathering) return true;
    if (s->out_len > s->out_at || s->lent.len > 0) return false;
    return s->due_count == 0;
}

bool chunk_wants_body(const struct smtp_session *s)
{
    if (s->next != STEP_octets || s->spoken->text.data != NULL) return false;
    /* A chunk that is almost full may be the last one: only the next piece shows whether it is. */
    if (wire_room(s) < COMMAND_MAX && !s->gathering) return false;
    return s->spoken->exact || may_gather(s);
}

bool chunk_open(struct smtp_session *s)
{
    struct smtp_transaction *m = s->spoken;
    if (m->exact) {
        if (m->octets_len > 0) return true;
        m->octets_at = s->said_len;
        m->octets_len = m->size;
        return true;
    }
    if (!may_gather(s)) return false;
    if (!s->gathering) s->out_at = s->out_len = HEAD_MAX;
    s->gathering = true;
    return true;
}

/* Is the message longer than BDAT said? */
bool chunk_is_over(const struct smtp_session *s)
{
    const struct smtp_transaction *m = s->spoken;
    return s->next == STEP_octets && m->exact && s->said_len - m->octets_at > m->size;
}

static void put_head(struct smtp_session *s, bool last)
{
    struct smtp_transaction *m = s->spoken;
    char head[HEAD_MAX];
    int len =
        snprintf(head, sizeof head, "BDAT %zu%s\r\n", s->out_len - s->out_at, last ? " LAST" : "");
    s->out_at -= (size_t)len;
    memcpy(s->out + s->out_at, head, (size_t)len);
    s->said_len += (size_t)len;
    m->octets_len = s->out_len - HEAD_MAX;
    m->octets_at = s->said_len - m->octets_len;
    s->gathering = false;
}

/* Ends the chunk at hand; `end` is the step chunk or last. */
void chunk_close(struct smtp_session *s, step end)
{
    const struct smtp_transaction *m = s->spoken;
    if (m->exact && s->said_len - m->octets_at != m->size) {
        s->next = drop(s, SMTP_ERROR_BODY_LEN, NULL);
        return;
    }
    if (s->gathering) put_head(s, end == STEP_last);
    s->next = end;
}

/* Returns how many octets at the end of the buffer must not leave yet: a chunk whose command is not
 * written, or the last octet of a message that may turn out to be longer than declared. Without
 * that octet the server cannot take it for complete. */
size_t chunk_hidden_len(const struct smtp_session *s)
{
    if (s->gathering) return s->out_len - s->out_at;
    if (s->next != STEP_octets || !s->spoken->exact || s->spoken->octets_len == 0) return 0;
    return s->said_len - s->spoken->octets_at == s->spoken->size ? 1 : 0;
}

/* ---- the steps ---- */

step say_bdat(struct smtp_session *s)
{
    put_words(s, "BDAT ");
    put_number(s, s->spoken->size);
    put_words(s, " LAST");
    return STEP_octets;
}

static bool is_unknown(const struct smtp_session *s, const struct smtp_reply *r)
{
    bool known = s->bdat_known || s->facts.consumes_chunks;
    return (r->code == 500 || r->code == 502) && !known;
}

/* A server that does not know BDAT reads the octets after it as commands, so nothing more is said.
 * This message was not delivered; whether the messages after it were is unknown. In LMTP the reply
 * may be the verdict of the first of several recipients; the verdicts of the others are then
 * unknown. */
static step leave_unknown(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->transactions->due_count > 1)
        message_judged(s, r);
    else
        refuse(s, s->transactions, SMTP_ERROR_BDAT_UNKNOWN, r);
    return drop(s, SMTP_ERROR_BDAT_UNKNOWN, r);
}

step hear_chunk(struct smtp_session *s, const struct smtp_reply *r)
{
    if (reply_class(r) == 3) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (is_unknown(s, r)) return leave_unknown(s, r);
    if (reply_class(r) == 2) {
        s->bdat_known = true;
        return STEP_octets;
    }
    refuse(s, s->transactions, message_error(s, r), r);
    return STEP_rset;
}

/* A chunk that was refused leaves the transaction open until RSET (RFC 3030 2). */
step hear_last(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (is_unknown(s, r)) return leave_unknown(s, r);
    /* It accepts a message whose sender it refused: which recipients get it is unknown. */
    if (m->contradicted && reply_class(r) == 2) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    step next = message_judged(s, r);
    if (reply_class(r) == 2) s->bdat_known = true;
    return next == STEP_ready && m->trouble.error != SMTP_ERROR_NONE ? STEP_rset : next;
}

/* ---- the trial ---- */

/* Before a server gets chunks ahead of its answers, it gets a harmless one: outside a transaction,
 * where it has to refuse it, and with QUIT in it. A server that consumes what it refuses answers
 * once. One that runs the octets as commands also answers QUIT with 221, and reads nothing that
 * comes after it. The answer to RSET shows which of the two it is, before any other answer could be
 * assigned to the wrong command. Where there is only one message, no trial is made. */
bool trial_is_due(const struct smtp_session *s)
{
    const struct smtp_transaction *first = s->transactions;
    bool is_last = s->quit_wanted && (first == NULL || first->next == NULL);
    return may_chunks_flow(s) && !s->facts.consumes_chunks && !is_last &&
           s->opt.halt == SMTP_HALT_NEVER;
}

step say_trial(struct smtp_session *s)
{
    put_words(s, "BDAT 6\r\nQUIT\r\n");
    s->on_trial = true;
    return s->spoken != NULL ? STEP_renew : STEP_rset;
}

step hear_trial(struct smtp_session *s, const struct smtp_reply *r)
{
    if (reply_class(r) < 4) return drop(s, SMTP_ERROR_CHUNK_NOT_CONSUMED, r);
    return s->spoken != NULL ? STEP_renew : STEP_rset;
}
