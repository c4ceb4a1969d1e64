/* turn.c - whose turn it is: the table of steps, and whether the next command may be said now. */
#include "session.h"

enum { BRIEF_SECONDS = 2, OCTETS_PER_SECOND = 131072 };
enum { REPLY_LEN = 512 }; /* octets of a reply line (RFC 5321 4.5.3.1.5) */

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

/* Was the message refused whose end the server has to answer? */
static bool is_refused(const struct smtp_session *s)
{
    return s->transactions != NULL && s->transactions->trouble.error != SMTP_ERROR_NONE;
}

double smtp_patience(const struct smtp_session *s, const struct smtp_clock *clock, double now)
{
    enum smtp_step_patience patience = step_rows[current_step(s)].patience;
    double left = clock->deadline - now, most = clock->reply_timeout;
    bool brief = patience == PATIENCE_BRIEF && most > BRIEF_SECONDS;
    if (patience == PATIENCE_WHOLE && !is_refused(s) && !s->parting) return left;
    if (patience == PATIENCE_PARTING || brief || s->parting) most = BRIEF_SECONDS;
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
 * wait for each other. Where the octets of a message go ahead as well, it is the replies that have
 * to fit. */
static bool may_flow(const struct smtp_session *s)
{
    if (!offers(s, SMTP_EXT_PIPELINING) || s->run_count >= SMTP_RUNS_MAX - 1) return false;
    if (s->opt.window == 0) return true;
    bool has_octets = s->next == STEP_bdat || (s->facts.consumes_chunks && s->flight_count > 1);
    if (has_octets && s->due_count * REPLY_LEN >= SMTP_UNHEARD_LEN_MAX) return false;
    return s->due_count < s->opt.window && s->due_count * s->command_len < SMTP_UNHEARD_LEN_MAX;
}

/* May another RCPT follow at once? RCPT goes in flights, because the answers to one show whether
 * the server takes more: some servers end the connection after a few that were too many. */
static bool may_rcpt_flow(const struct smtp_transaction *m)
{
    if (m->to_said == m->to_end) return false;
    return m->to_said == 0 || m->to_said % SMTP_RCPT_FLIGHT_MAX != 0;
}

bool may_chunks_flow(const struct smtp_session *s)
{
    return s->opt.chunks_ahead && s->status.grade != SMTP_SAFE &&
           offers(s, SMTP_EXT_PIPELINING | SMTP_EXT_CHUNKING);
}

/* May a chunk follow RCPT at once? Some servers run its octets as commands where they have accepted
 * no recipient; and not much of a message may be sent for nothing. */
static bool may_bdat_flow(const struct smtp_session *s)
{
    const struct smtp_transaction *m = s->spoken;
    if (s->opt.hold_ends && (!m->end_ahead || m->size == 0)) return false;
    return s->facts.consumes_chunks && may_chunks_flow(s) && m->text.data != NULL &&
           m->size <= SMTP_EAGER_LEN_MAX && m->to_end <= SMTP_RCPT_FLIGHT_MAX;
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
    /* RSET is said here only where the dialogue halts, and then the replies come first. */
    if (s->next == STEP_rset) return false;
    if (s->next != STEP_data && s->next != STEP_bdat) return true;
    if (s->next == STEP_bdat && !may_bdat_flow(s)) return false;
    if (m->crossing && s->status.grade == SMTP_TRY) return false;
    /* After that a message for all recipients or none could not be taken back. */
    return !m->all || m->to_count == 1;
}

static bool is_flowing(const struct smtp_session *s)
{
    step newest = newest_run(s)->said;
    bool after_end = s->status.grade != SMTP_SAFE && is_end(newest);
    if (!may_flow(s)) return false;
    if (newest == STEP_trial) return true; /* RSET belongs to it */
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

/* Would one more message in flight make it likely that the server refuses too many before it is
 * answered? It is expected to refuse as large a share of them as of those before. */
static bool may_wear(const struct smtp_session *s)
{
    if (s->opt.refused_max == 0) return false;
    size_t left_count = s->opt.refused_max - s->refused_count;
    return s->flight_count * (s->refused_count + 1) >= left_count * (s->over_count + 2);
}

bool may_begin_past(const struct smtp_session *s)
{
    bool is_chunk = newest_run(s)->said == STEP_last;
    if (is_chunk && !s->bdat_known && !s->facts.consumes_chunks) return false;
    return s->flight_count < s->opt.flight_max && !may_wear(s) &&
           s->said_len - s->transactions->begun_at < SMTP_EAGER_LEN_MAX;
}

bool is_worn(const struct smtp_session *s)
{
    return s->opt.refused_max != 0 && s->refused_count >= s->opt.refused_max;
}
