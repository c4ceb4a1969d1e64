/* dialogue.c - saying commands and hearing replies, in turn. */
#include "../text/octets.h"
#include "session.h"

/* ---- speaking ---- */

static bool is_of_transaction(step said)
{
    return said >= STEP_renew && said <= STEP_last;
}

/* Records that the replies to `said` are due. An LMTP server judges a message once for each
 * recipient that it has accepted (RFC 2033 4.2). */
static void add_run(struct smtp_session *s, step said)
{
    size_t count = is_end(said) && s->opt.lmtp ? s->spoken->to_accepted : 1;
    if (count == 0) return;
    s->due_count += count;
    if (is_of_transaction(said)) s->spoken->due_count += count;
    if (said == STEP_rcpt) s->spoken->to[s->spoken->to_said - 1].end_at = s->said_len;
    if (said == STEP_rcpt && s->run_count > 0 && newest_run(s)->said == said)
        s->work->runs[run_index(s, s->run_count - 1)].count++;
    else
        s->work->runs[run_index(s, s->run_count++)] =
            (struct smtp_run){said, (uint32_t)count, s->said_len};
}

/* A command contains one line end, its own. The callers' grammar checks ensure that; should one of
 * them ever fail, nothing is sent. */
static bool is_one_line(const char *command, size_t len)
{
    size_t at = 0;
    while (len - at >= 8 && octets_below(octets_at(command + at), '\r' + 1) == 0)
        at += 8;
    for (; at < len; at++)
        if (command[at] == '\r' || command[at] == '\n' || command[at] == '\0') return false;
    return true;
}

/* Takes a transaction that is over out of the queue. It may have left recipients to a further one,
 * which the caller adds before the session says QUIT. */
static void remove_transaction(struct smtp_session *s, struct smtp_transaction **at)
{
    struct smtp_transaction *m = *at;
    bool full = m->full && m->trouble.error == SMTP_ERROR_NONE;
    *at = m->next;
    if (m->next == NULL) s->transactions_last = at == &s->transactions ? NULL : s->spoken;
    m->over = true;
    s->rest_wanted =
        full || (m->to_said < m->to_count && smtp_transaction_leaves(m, m->to_count - 1));
}

/* Records what the outcome of a transaction shows about the server. */
static void learn_outcome(struct smtp_session *s, const struct smtp_transaction *m)
{
    s->over_count++;
    s->refused_crossing = m->followed && m->trouble.error != SMTP_ERROR_NONE;
    s->refused_ahead = m->ahead && m->trouble.error != SMTP_ERROR_NONE;
    if (m->trouble.error != SMTP_ERROR_NONE)
        s->refused_count++;
    else if (m->followed && s->status.grade == SMTP_TRY)
        s->status.grade = SMTP_EAGER;
}

/* All that was said has been answered; `next` follows from the last answer. */
static step after_answers(struct smtp_session *s, step next)
{
    bool done = s->quit_wanted && !s->rest_wanted && s->transactions == NULL;
    if (next == STEP_rset && is_worn(s)) return give_up(s, SMTP_ERROR_WORN_OUT, NULL);
    if (next == STEP_rset && done && s->opt.halt == SMTP_HALT_NEVER) return STEP_quit;
    return next == STEP_ready ? dialogue_rest(s) : next;
}

/* Ends a transaction whose end has no answer: in LMTP, a lone dot where no recipient was accepted
 * (RFC 2033 4.2). */
static step end_unanswered(struct smtp_session *s)
{
    s->flight_count--;
    learn_outcome(s, s->transactions);
    remove_transaction(s, &s->transactions);
    s->spoken = NULL;
    return after_answers(s, STEP_rset);
}

/* Ends the command at s->command_at. Returns false where it was not a single line; it is then taken
 * back. */
static bool end_command(struct smtp_session *s)
{
    size_t len = s->out_len - s->command_at;
    if (is_one_line(s->out + s->command_at, len)) {
        put_words(s, "\r\n");
        return true;
    }
    take_back(s, s->command_at);
    return false;
}

step say_words(struct smtp_session *s)
{
    put_words(s, step_rows[s->next].words);
    return step_rows[s->next].then;
}

/* Holds back what ends the message: "." CR LF, the last octet of the last chunk, or the command of
 * an empty chunk, which is alone in the buffer. A lone dot ends no message. The last octet of a
 * chunk that went ahead ends one although its envelope was refused meanwhile: a server may take it
 * all the same. */
static void hold_end(struct smtp_session *s, step said)
{
    struct smtp_transaction *m = s->spoken;
    size_t end_len = m->octets_len > 0 ? 1 : s->out_len - s->out_at;
    if (said == STEP_final) end_len = 3;
    if (said == STEP_final && m->trouble.error != SMTP_ERROR_NONE) return;
    m->held_at = s->said_len - end_len;
    if (s->held == NULL) s->held = m;
}

static void speak(struct smtp_session *s)
{
    step said = s->next;
    s->command_at = s->out_len;
    step then = step_rows[said].say(s);
    bool ends_itself =
        said == STEP_greeting || said == STEP_trial || said == STEP_chunk || is_end(said);
    if (!ends_itself && !end_command(s)) {
        s->next = drop(s, SMTP_ERROR_UNSAYABLE, NULL);
        return;
    }
    size_t len = s->out_len - s->command_at;
    if (step_rows[said].turn == TURN_FLOW && len > s->command_len) s->command_len = len;
    s->next = then;
    if (said == STEP_bdat && s->due_count > 0) s->spoken->ahead = true;
    if (step_rows[said].turn == TURN_HEAD) return;
    add_run(s, said);
    if (!is_end(said)) return;
    s->spoken->end_at = s->said_len;
    if (s->opt.hold_ends) hold_end(s, said);
    if (s->due_count == 0) s->next = end_unanswered(s);
}

/* Writes as much of a message that is in memory as there is room for. Returns whether anything
 * changed. */
static bool pump(struct smtp_session *s)
{
    if ((s->next != STEP_body && s->next != STEP_octets) || s->spoken->text.data == NULL)
        return false;
    const struct smtp_transaction *m = s->spoken;
    step before = s->next;
    size_t at = (size_t)m->taken_len, taken = body_take(s, m->text.data + at, m->text.len - at);
    if (!m->over && m->taken_len == m->text.len) body_end(s);
    return taken > 0 || s->next != before;
}

static void begin(struct smtp_session *s, struct smtp_transaction *m)
{
    s->spoken = m;
    m->begun_at = s->said_len;
    body_begin(s);
    s->flight_count++;
}

/* Goes on to the next transaction, or to QUIT, while the answer to the end of a message is due. RFC
 * 2920 3.1 allows that, but many servers fail there: see "Grades" in smtp.h. Until the server has
 * accepted a chunk it is unknown whether it reads chunks correctly; then only QUIT is said after
 * the first one. */
static void go_past(struct smtp_session *s)
{
    struct smtp_transaction *m = s->spoken;
    if (!may_go_past(s)) return;
    while (m->next != NULL && !envelope_allowed(s, m->next))
        remove_transaction(s, &m->next);
    if (m->next == NULL) {
        s->quit_crossing = s->quit_wanted && m->to_count <= SMTP_EAGER_QUIT_MAX;
        if (s->quit_crossing) s->next = STEP_quit;
    } else if (may_begin_past(s)) {
        begin(s, m->next);
        s->spoken->followed = s->spoken->crossing = true;
        s->next = STEP_renew;
    }
}

void dialogue_go_on(struct smtp_session *s)
{
    do {
        go_past(s);
        while (may_speak(s)) {
            speak(s);
            go_past(s);
        }
    } while (pump(s));
}

bool dialogue_over(const struct smtp_session *s)
{
    return s->next == STEP_over && s->due_count == 0;
}

/* ---- listening ---- */

/* Returns what follows between transactions: the next one, QUIT if it is wanted, or rest. */
step dialogue_rest(struct smtp_session *s)
{
    while (s->transactions != NULL && !envelope_allowed(s, s->transactions))
        remove_transaction(s, &s->transactions);
    if (s->transactions != NULL && is_worn(s)) return give_up(s, SMTP_ERROR_WORN_OUT, NULL);
    bool has_trial = trial_is_due(s);
    if (s->transactions != NULL) begin(s, s->transactions);
    if (has_trial) return STEP_trial;
    if (s->transactions != NULL) return STEP_mail;
    return s->quit_wanted && !s->rest_wanted ? STEP_quit : STEP_ready;
}

/* Counts a reply to `m`, from which `next` follows. A transaction is over when no more replies are
 * due and either its outcome is final or the speaker has gone past it. Returns whether `next` is to
 * be done. */
static bool count_reply(struct smtp_session *s, struct smtp_transaction *m, step next)
{
    bool is_spoken = m == s->spoken;
    if (--m->due_count > 0) return false;
    /* Its chunk went ahead and is still being said: what the answers mean waits for its own. */
    if (is_spoken && m->exact && s->next == STEP_octets) return false;
    m->crossing = false;
    if (is_spoken && (!m->has_outcome || next == STEP_final)) return true;
    learn_outcome(s, m);
    s->flight_count--;
    remove_transaction(s, &s->transactions);
    if (is_spoken) s->spoken = NULL;
    return is_spoken;
}

/* Handles a reply that begins before the server can have received a command. Only 421, and a
 * refusal while the message is being sent, have a meaning then. */
static step hear_unasked(struct smtp_session *s, const struct smtp_reply *r)
{
    bool sending = s->next == STEP_body || s->next == STEP_octets;
    if (s->run_count > 0) {
        step asked = oldest_run(s)->said;
        sending = is_end(asked) || asked == STEP_chunk;
    }
    if (r->code == 421) return drop(s, SMTP_ERROR_SHUTTING_DOWN, r);
    if (!sending || reply_class(r) < 4) return drop(s, SMTP_ERROR_UNASKED, r);
    enum smtp_error error = message_error(s, r);
    refuse(s, s->transactions, error, r);
    return drop(s, error, r);
}

/* Does this reply end the conversation? 421 may come at any time (RFC 5321 3.8). The steps of the
 * greeting, AUTH and QUIT give it a meaning of their own. */
static bool is_goodbye(step asked, const struct smtp_reply *r)
{
    return r->code == 421 && asked != STEP_greeting && asked != STEP_auth && asked != STEP_answer &&
           asked != STEP_quit;
}

/* Handles 421. In place of the answer to a message it defers the message. Answers come in order, so
 * the server has not taken anything that was said after the command that this one answers. */
static step hear_goodbye(struct smtp_session *s, step asked, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (is_end(asked)) {
        message_deferred(s, r);
        m = m->next;
    }
    part(s, m, SMTP_ERROR_SHUTTING_DOWN, r);
    return STEP_over;
}

void dialogue_hear(struct smtp_session *s, const struct smtp_reply *r)
{
    s->status.replies++;
    if (s->parting) { /* it goes on: what it does with the messages is unknown */
        s->next = drop(s, s->status.trouble.error, r);
        return;
    }
    if (s->due_count == 0 || s->reply_unasked) {
        s->next = hear_unasked(s, r);
        return;
    }
    struct smtp_run *oldest = &s->work->runs[s->run_first];
    step asked = oldest->said;
    step next = is_goodbye(asked, r) ? hear_goodbye(s, asked, r) : step_rows[asked].hear(s, r);
    if (next == STEP_over) {
        s->next = next;
        if (!s->parting) s->run_count = s->due_count = 0;
        return;
    }
    s->due_count--;
    oldest->end_at = 0;
    if (--oldest->count == 0) {
        s->run_first = run_index(s, 1);
        s->run_count--;
    }
    bool follow = !is_of_transaction(asked) || count_reply(s, s->transactions, next);
    if (follow && s->due_count == 0) s->next = after_answers(s, next);
}

/* Handles the end of the connection within a reply. A 421 counts as a reply all the same, because
 * it says only that the conversation is over. Of any other reply only the words are kept, for a
 * person. */
static step hear_cut(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (r->code != 421) return drop(s, error, r);
    s->status.replies++;
    if (s->due_count == 0 || s->reply_unasked || is_goodbye(oldest_run(s)->said, r))
        return drop(s, SMTP_ERROR_SHUTTING_DOWN, r);
    return step_rows[oldest_run(s)->said].hear(s, r);
}

/* The server has ended the conversation, and said no more: it has not taken what followed. A
 * refused RSET says nothing of that where the connection is still there, or was reset: what the
 * server said after it may be lost then. */
static void forget_ends(struct smtp_session *s)
{
    bool heard_more = s->line_len > 0 || s->reply_lines > 0;
    bool goodbye = s->status.trouble.error == SMTP_ERROR_SHUTTING_DOWN;
    if (heard_more || (!s->stream_ended && !goodbye)) return;
    for (struct smtp_transaction *m = s->transactions; m != NULL; m = m->next)
        m->end_at = 0;
}

void smtp_break(struct smtp_session *s, enum smtp_error error, const char *text, size_t len)
{
    struct smtp_reply r = {.text = text, .text_len = len};
    bool waited = error == SMTP_ERROR_CLOSED || error == SMTP_ERROR_TIMEOUT;
    if (s->parting) {
        forget_ends(s);
        error = s->status.trouble.error;
    }
    if (waited && reply_cut(s, &r))
        s->next = hear_cut(s, error, &r);
    else
        s->next = drop(s, error, &r);
    s->run_count = s->due_count = 0;
}
