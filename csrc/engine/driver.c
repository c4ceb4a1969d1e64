/* driver.c - what a driver sees of a session, and asks of it. */
#include "session.h"

/* Is the end of a message held back, and little before it? */
static bool is_at_end(const struct smtp_session *s)
{
    return s->held != NULL && s->held->held_at - s->sent_len <= SMTP_HELD_LEN_MAX;
}

unsigned smtp_wants(const struct smtp_session *s)
{
    unsigned wants = 0;
    size_t unsent_len = smtp_send_buf(s).len;
    if (is_at_end(s))
        wants |= SMTP_WANT_END;
    else if (unsent_len > 0)
        wants |= SMTP_WANT_SEND;
    if (dialogue_over(s)) return SMTP_WANT_NOTHING;
    if (chunk_wants_body(s)) wants |= SMTP_WANT_BODY;
    if (s->due_count > 0 || s->next == STEP_octets) return wants | SMTP_WANT_RECV;
    if (smtp_secret_wanted(s)) return wants | SMTP_WANT_SECRET;
    if (auth_needs_answer(s)) return wants | SMTP_WANT_ANSWER;
    if (s->next == STEP_tls) return wants | SMTP_WANT_TLS;
    if (s->next == STEP_ready) return wants | SMTP_WANT_READY;
    if (s->next == STEP_body) {
        wants |= SMTP_WANT_RECV;
        if (s->spoken->text.data == NULL && wire_room(s) >= COMMAND_MAX) wants |= SMTP_WANT_BODY;
    }
    return wants;
}

bool smtp_sent_in_part(const struct smtp_session *s)
{
    return s->sent_in_part;
}

void smtp_set_grade(struct smtp_session *s, enum smtp_grade grade)
{
    if (!s->opt.lmtp) s->status.grade = grade;
}

void smtp_lockstep(struct smtp_session *s)
{
    s->opt.ext_skip |= SMTP_EXT_PIPELINING;
}

const struct smtp_transaction *smtp_ending(const struct smtp_session *s)
{
    return s->held;
}

void smtp_end_allow(struct smtp_session *s)
{
    if (s->held == NULL) return;
    do
        s->held = s->held->next;
    while (s->held != NULL && s->held->held_at == 0);
}

void smtp_end_ahead(struct smtp_session *s, struct smtp_transaction *transaction)
{
    transaction->end_ahead = true;
    dialogue_go_on(s);
}

const char *smtp_session_stage(const struct smtp_session *s)
{
    return step_rows[current_step(s)].stage;
}

void smtp_transaction_add(struct smtp_session *s, struct smtp_transaction *transaction)
{
    transaction->next = NULL;
    transaction->queued = true;
    if (s->next == STEP_over || s->next == STEP_quit) {
        if (s->status.trouble.error == SMTP_ERROR_NONE)
            set_trouble(s, &s->status.trouble, SMTP_ERROR_CLOSED, NULL);
        transaction->bystander = true;
        break_transaction(s, transaction);
        return;
    }
    if (s->transactions_last == NULL)
        s->transactions = transaction;
    else
        s->transactions_last->next = transaction;
    s->transactions_last = transaction;
    if (s->next == STEP_ready && s->due_count == 0) s->next = dialogue_rest(s);
    dialogue_go_on(s);
}

void smtp_quit(struct smtp_session *s)
{
    s->quit_wanted = true;
    s->rest_wanted = false;
    if (s->next == STEP_ready && s->due_count == 0) s->next = dialogue_rest(s);
    dialogue_go_on(s);
}

void smtp_ask(struct smtp_session *s, enum smtp_question question, struct smtp_text argument)
{
    if (s->next != STEP_ready || s->due_count > 0) return;
    s->argument = argument;
    s->next = (step)(STEP_rset + question);
    dialogue_go_on(s);
}

/* ---- of a transaction that is over ---- */

bool smtp_transaction_leaves(const struct smtp_transaction *m, size_t i)
{
    if (m->overfilled) return m->to[i].again || m->to[i].verdict == SMTP_UNSENT;
    if (m->trouble.error == SMTP_ERROR_NONE) return m->to[i].again || i >= m->to_said;
    return m->trouble.error == SMTP_ERROR_NOBODY_ACCEPTED && i >= m->to_said;
}

bool smtp_transaction_may_be_sent(const struct smtp_transaction *m)
{
    bool may = m->may_be_sent || (!m->has_outcome && m->end_at != 0);
    for (size_t i = 0; m->has_outcome && i < m->to_count; i++)
        may = may || m->to[i].verdict == SMTP_ACCEPTED || m->to[i].verdict == SMTP_UNKNOWN;
    return may;
}

size_t smtp_transaction_offer(const struct smtp_transaction *m)
{
    if (!m->overfilled) return 0;
    return m->to_accepted > 0 ? m->to_accepted : m->to_heard;
}
