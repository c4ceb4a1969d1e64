/* turn.c - whose turn it is: the table of steps, and whether the next command may be said now. */
#include "session.h"

enum { BRIEF_SECONDS = 2, OCTETS_PER_SECOND = 131072 };

const struct smtp_step_row step_rows[] = {
#define X(name, turn, stage, patience, say, hear, words, then)                                     \
    {TURN_##turn, stage, PATIENCE_##patience, say, hear, words, STEP_##then},
    SMTP_STEPS(X)
#undef X
};

bool is_end(step said)
{
    return said == STEP_final || said == STEP_last;
}

step current_step(const struct smtp_session *s)
{
    if (s->run_count == 0) return s->next;
    const struct smtp_run *oldest = oldest_run(s);
    return is_end(oldest->said) && oldest->end_at > s->sent_len ? STEP_body : oldest->said;
}

double smtp_patience(const struct smtp_session *s, const struct smtp_clock *clock, double now)
{
    enum smtp_step_patience patience = step_rows[current_step(s)].patience;
    double left = clock->deadline - now, most = clock->reply_timeout;
    bool brief = patience == PATIENCE_BRIEF && most > BRIEF_SECONDS;
    if (patience == PATIENCE_WHOLE) return left;
    if (patience == PATIENCE_PARTING || brief) most = BRIEF_SECONDS;
    most -= now - clock->moved;
    return most < left ? most : left;
}

double smtp_message_seconds(double timeout, bool fixed, uint64_t len)
{
    if (fixed || len == SMTP_LEN_UNKNOWN) return timeout;
    return timeout + (double)len / OCTETS_PER_SECOND;
}

/* May one more reply become due? Commands that are not answered yet have to fit into the ring of
 * runs, and into the buffers of a server that waits until its replies are read; otherwise both ends
 * wait for each other. */
static bool may_flow(const struct smtp_session *s)
{
    if (!offers(s, SMTP_EXT_PIPELINING) || s->run_count >= SMTP_RUNS_MAX - 1) return false;
    if (s->opt.window == 0) return true;
    return s->due_count < s->opt.window && s->due_count * s->command_len < SMTP_UNHEARD_LEN_MAX;
}

/* May another RCPT follow at once? RCPT goes in flights, because the answers to one show whether
 * the server takes more: some servers end the connection after a few that were too many. */
static bool may_rcpt_flow(const struct smtp_transaction *m)
{
    if (m->to_said == m->to_end) return false;
    return m->to_said == 0 || m->to_said % SMTP_RCPT_FLIGHT_MAX != 0;
}

/* May the next command of the transaction follow others that are not answered? */
static bool may_flow_within(const struct smtp_session *s)
{
    const struct smtp_transaction *m = s->spoken;
    /* Of a transaction that was refused, nothing more needs to be said. */
    if (m->trouble.error != SMTP_ERROR_NONE) return false;
    /* On another connection the server failed at what follows an end. */
    if (m->crossing && s->status.grade == SMTP_SAFE) return false;
    if (s->next == STEP_rcpt) return may_rcpt_flow(m);
    /* Some servers run a chunk as commands where they have accepted no recipient. RSET is said here
     * only where the dialogue halts, and then the replies come first. */
    if (s->next == STEP_bdat || s->next == STEP_rset) return false;
    if (s->next != STEP_data) return true;
    if (m->crossing && s->status.grade == SMTP_TRY) return false;
    /* After DATA a message for all recipients or none could not be taken back. */
    return !m->all || m->to_count == 1;
}

static bool is_flowing(const struct smtp_session *s)
{
    step newest = newest_run(s)->said;
    bool after_end = s->status.grade != SMTP_SAFE && is_end(newest);
    if (!may_flow(s)) return false;
    if (step_rows[newest].turn != TURN_FLOW && !after_end) return false;
    return s->next == STEP_quit ? after_end : may_flow_within(s);
}

bool may_speak(const struct smtp_session *s)
{
    if (s->next == STEP_chunk || s->next == STEP_last)
        return true; /* the chunk is in the buffer already */
    if (step_rows[s->next].turn == TURN_MUTE || wire_room(s) < COMMAND_MAX) return false;
    if (smtp_secret_wanted(s) || auth_needs_answer(s)) return false;
    return s->due_count == 0 || is_flowing(s);
}

bool may_go_past(const struct smtp_session *s)
{
    if (s->next != STEP_ready || s->due_count == 0 || s->spoken == NULL) return false;
    if (s->status.grade == SMTP_SAFE || !is_end(newest_run(s)->said)) return false;
    /* A server that reads the end alone proves nothing by what it does with the rest. */
    if (s->status.grade == SMTP_TRY && newest_run(s)->end_at <= s->sent_len) return false;
    return may_flow(s) && !is_worn(s);
}

bool may_begin_past(const struct smtp_session *s)
{
    if (!s->bdat_known && newest_run(s)->said == STEP_last) return false;
    return s->flight_count < s->opt.flight_max &&
           s->said_len - s->transactions->begun_at < SMTP_EAGER_LEN_MAX;
}

bool is_worn(const struct smtp_session *s)
{
    return s->opt.refused_max != 0 && s->refused_count >= s->opt.refused_max;
}
