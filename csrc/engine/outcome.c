/* outcome.c - how transactions and sessions end: refusals, breaks, and the verdict of each
 * recipient. */
#include "session.h"

static bool is_resetting(const struct smtp_session *s)
{
    return s->run_count > 0 && oldest_run(s)->said == STEP_rset;
}

/* Returns the stage of an error. An extension that the EHLO reply lacks is an error of the step
 * that would have come next. */
static const char *stage_for(const struct smtp_session *s, enum smtp_error error)
{
    if (error == SMTP_ERROR_TLS_NOT_OFFERED || error == SMTP_ERROR_TLS_HELO_ONLY)
        return step_rows[STEP_starttls].stage;
    if (error >= SMTP_ERROR_AUTH_NOT_OFFERED && error <= SMTP_ERROR_AUTH_UNVERIFIED)
        return step_rows[STEP_auth].stage;
    return step_rows[current_step(s)].stage;
}

/* May the cause of the error be that the server refused EHLO? Then the error quotes that refusal.
 */
static bool is_for_ehlo(enum smtp_error error)
{
    return error == SMTP_ERROR_TLS_HELO_ONLY || error == SMTP_ERROR_AUTH_HELO_ONLY ||
           (error >= SMTP_ERROR_NO_PIPELINING && error <= SMTP_ERROR_TLS_UNVERIFIED);
}

void set_trouble(struct smtp_session *s, struct smtp_trouble *trouble, enum smtp_error error,
                 const struct smtp_reply *r)
{
    trouble->error = error;
    trouble->stage = stage_for(s, error);
    trouble->answer = (struct smtp_answer){0};
    if (r != NULL)
        answer_take(&trouble->answer, r);
    else if (s->facts.ehlo_reply != NULL && is_for_ehlo(error))
        trouble->answer = *s->facts.ehlo_reply;
}

/* Recipients that were accepted so far get the verdict of the message, except for those that have a
 * verdict of their own (LMTP). */
static void set_verdicts(struct smtp_transaction *m, enum smtp_verdict verdict)
{
    for (size_t i = m->to_judged; i < m->to_heard; i++)
        if (m->to[i].verdict == SMTP_ACCEPTED) m->to[i].verdict = verdict;
    m->has_outcome = true;
}

/* What a refusal means for recipients that were accepted: before DATA nothing was judged. */
static enum smtp_verdict verdict_of(const struct smtp_session *s, enum smtp_error error,
                                    const struct smtp_reply *r)
{
    bool of_envelope = current_step(s) == STEP_rcpt;
    if (r == NULL || of_envelope || error == SMTP_ERROR_BDAT_UNKNOWN) return SMTP_UNSENT;
    return reply_class(r) == 4 ? SMTP_DEFERRED : SMTP_REFUSED;
}

void refuse(struct smtp_session *s, struct smtp_transaction *m, enum smtp_error error,
            const struct smtp_reply *r)
{
    if (m->trouble.error != SMTP_ERROR_NONE) return; /* the first one is the cause */
    set_trouble(s, &m->trouble, error, r);
    if (r == NULL) m->trouble.stage = step_rows[STEP_mail].stage; /* whatever is due before it */
    set_verdicts(m, verdict_of(s, error, r));
}

/* After the end of the message was sent, the verdict of every recipient without an answer is
 * unknown. So is all of it where the server accepted a recipient after a sender that it refused. */
void break_transaction(struct smtp_session *s, struct smtp_transaction *m)
{
    bool ended = m->end_at != 0 && s->sent_len >= m->end_at;
    bool contradicted = ended && m->contradicted;
    if ((m->trouble.error == SMTP_ERROR_NONE && !m->has_outcome) || contradicted) {
        m->trouble = s->status.trouble;
        m->overfilled = !ended && is_overfilled(s, m);
        set_verdicts(m, ended ? SMTP_UNKNOWN : SMTP_UNSENT);
        for (size_t i = contradicted ? 0 : m->to_heard; ended && i < m->to_said; i++)
            m->to[i].verdict = SMTP_UNKNOWN;
        m->bystander = m->bystander && !ended;
    }
    m->has_outcome = m->over = true;
}

static bool is_of_server(enum smtp_error error)
{
    return error >= SMTP_ERROR_MALFORMED && error <= SMTP_ERROR_TIMEOUT &&
           error != SMTP_ERROR_ABORTED;
}

/* Did the server fail at a chunk that had gone ahead of a refusal? If it ran the octets as
 * commands, an answer to them has come in the place of the one to RSET. */
static bool blames_chunk(const struct smtp_session *s, enum smtp_error error)
{
    const struct smtp_transaction *m = s->transactions;
    uint16_t code = s->status.trouble.answer.code;
    if (m != NULL && m->ahead && m->trouble.error != SMTP_ERROR_NONE) return true;
    if (!s->refused_ahead || !is_resetting(s)) return false;
    return error != SMTP_ERROR_RESET_REFUSED || code == 500 || code == 502;
}

/* Did the server fail at what was said after the end of a message? Dovecot's submission service
 * fails there, at the RSET after a sender that it has refused. A 421 does not count as such a
 * failure if the server has handled a command there before. */
static bool blames_eager(const struct smtp_session *s, enum smtp_error error)
{
    const struct smtp_transaction *m = s->transactions, *next = m == NULL ? NULL : m->next;
    bool crossing = m != NULL && (m->crossing || (next != NULL && next->crossing));
    if (!is_of_server(error)) return false;
    if (error == SMTP_ERROR_SHUTTING_DOWN) return crossing && s->status.grade == SMTP_TRY;
    return crossing || blames_chunk(s, error) || s->quit_crossing ||
           (is_resetting(s) && s->refused_crossing);
}

/* Marks the transactions that are not the cause. If one was being answered, it is the first. */
static void pick_bystanders(struct smtp_session *s, enum smtp_error error)
{
    bool between = is_resetting(s) || error == SMTP_ERROR_WORN_OUT || s->status.chunk_failed;
    for (struct smtp_transaction *m = s->transactions; m != NULL; m = m->next)
        m->bystander = between || (m != s->transactions && s->flight_count > 0) ||
                       (m->crossing && s->status.eager_failed);
}

static void end_all(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (s->status.trouble.error == SMTP_ERROR_NONE) set_trouble(s, &s->status.trouble, error, r);
    if (blames_eager(s, error)) s->status.eager_failed = true;
    /* A connection that was dead before it was used again shows nothing. */
    bool alive = s->status.replies > 1 || error == SMTP_ERROR_CHUNK_NOT_CONSUMED;
    if (s->on_trial && is_of_server(error) && alive) s->status.chunk_failed = true;
    pick_bystanders(s, error);
    for (struct smtp_transaction *m = s->transactions; m != NULL; m = m->next)
        break_transaction(s, m);
    s->transactions = s->transactions_last = s->spoken = NULL;
    s->flight_count = 0;
}

/* The session is over, but the server keeps to the protocol: say QUIT (RFC 5321 4.1.1.10). */
step give_up(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    end_all(s, error, r);
    return STEP_quit;
}

/* What has not left stays here. */
static void forget_unsent(struct smtp_session *s)
{
    wire_wipe(s);
    s->lent.len = 0;
    s->held = NULL;
}

/* The server ends the conversation, by a reply to what was said before `next`. If it closes the
 * connection now, it has taken nothing of what follows that, although ends of messages may have
 * left. If it says more, it may have taken them: so this is waited for. */
void part(struct smtp_session *s, const struct smtp_transaction *next, enum smtp_error error,
          const struct smtp_reply *r)
{
    if (next == NULL || next->end_at == 0 || next->end_at > s->sent_len) {
        s->next = drop(s, error, r);
        return;
    }
    set_trouble(s, &s->status.trouble, error, r);
    forget_unsent(s);
    s->next = STEP_over;
    s->parting = true;
}

/* The session is over at once, without QUIT. Trouble at QUIT itself does not count. */
step drop(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (s->run_count == 0 || oldest_run(s)->said != STEP_quit)
        end_all(s, error, r);
    else if (s->quit_crossing && error == SMTP_ERROR_TIMEOUT)
        s->status.eager_failed = true;
    s->run_count = s->due_count = 0;
    forget_unsent(s);
    s->gathering = false;
    return STEP_over;
}
