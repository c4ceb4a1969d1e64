/* dialogue.c - whose turn it is. */
#include "session.h"

enum turn { MUTE, WAIT, FLOW, HEAD };
enum patience { REPLY, BRIEF, PARTING, WHOLE };
enum { BRIEF_SECONDS = 2 };

#define SPEAKER_WAIT(name) say_##name, hear_##name
#define SPEAKER_FLOW(name) say_##name, hear_##name
#define SPEAKER_HEAD(name) say_##name, NULL
#define SPEAKER_MUTE(name) NULL, NULL

static const struct {
    step (*say)(struct smtp_session *);
    step (*hear)(struct smtp_session *, const struct smtp_reply *);
    enum turn turn;
    enum patience patience;
    const char *stage;
} steps[] = {
#define X(name, turn, stage, patience)                                                             \
    [STEP_##name] = {SPEAKER_##turn(name), turn, patience, stage},
    SMTP_STEPS(X)
#undef X
};

static struct smtp_run *run_at(struct smtp_session *s, size_t i)
{
    return &s->runs[(s->run_first + i) % SMTP_RUNS_MAX];
}

static const struct smtp_run *newest_run(const struct smtp_session *s)
{
    return &s->runs[(s->run_first + s->run_count - 1) % SMTP_RUNS_MAX];
}

static bool is_end(step said)
{
    return said == STEP_final || said == STEP_last;
}

/* Commands without an answer must fit into the buffers of a server that waits for its replies to
 * be read, or both ends wait for each other. Smaller buffers than this are not to be expected. */
enum { WINDOW_LEN = 8192 };

static bool is_in_window(const struct smtp_session *s)
{
    if (s->opt.window == 0) return true;
    return s->due_count < s->opt.window && s->due_count * s->command_len < WINDOW_LEN;
}

/* May one more reply be due? A full ring stops speech. */
static bool flows(const struct smtp_session *s)
{
    if (!offers(s, SMTP_EXT_PIPELINING) || s->run_count >= SMTP_RUNS_MAX - 1) return false;
    return is_in_window(s);
}

static bool is_flowing(const struct smtp_session *s)
{
    step newest = newest_run(s)->said;
    bool behind = s->grade != SMTP_SAFE && is_end(newest);
    if (!flows(s)) return false;
    if (steps[newest].turn != FLOW && !behind) return false;
    if (s->next == STEP_quit) return behind;
    /* What was refused needs no more words. */
    if (s->spoken->trouble.error != SMTP_ERROR_NONE) return false;
    if (s->next == STEP_rcpt) return rcpt_may_flow(s->spoken);
    /* Some servers run a chunk as commands where they have accepted no recipient. */
    if (s->next == STEP_bdat) return false;
    if (s->next == STEP_data && s->spoken->crossing && s->grade == SMTP_TRY) return false;
    /* All or nobody: there is no way back behind DATA. */
    return s->next != STEP_data || !s->spoken->all || s->spoken->to_count == 1;
}

static bool may_speak(const struct smtp_session *s)
{
    if (s->next == STEP_chunk || s->next == STEP_last) return true; /* it stands there already */
    if (steps[s->next].turn == MUTE || wire_room(s) < COMMAND_MAX) return false;
    if (auth_needs_secret(s) || auth_needs_answer(s)) return false;
    return s->due_count == 0 || is_flowing(s);
}

static bool is_of_transaction(step said)
{
    return said >= STEP_renew && said <= STEP_last;
}

/* An LMTP server judges a message once for each recipient it has accepted (RFC 2033 4.2). */
static size_t replies_due(const struct smtp_session *s, step said)
{
    return is_end(said) && s->opt.lmtp ? s->spoken->to_accepted : 1;
}

static void remember(struct smtp_session *s, step said)
{
    size_t count = replies_due(s, said);
    if (count == 0) return;
    s->due_count += count;
    if (is_of_transaction(said)) s->spoken->due_count += count;
    if (said == STEP_rcpt) s->spoken->to[s->spoken->to_said - 1].end_at = s->said_len;
    if (s->run_count > 0) {
        struct smtp_run *newest = run_at(s, s->run_count - 1);
        if (newest->said == said && said == STEP_rcpt) {
            newest->count++;
            return;
        }
    }
    *run_at(s, s->run_count++) = (struct smtp_run){said, (uint32_t)count, s->said_len};
}

/* A command holds one line end, its own. The grammar checks of the callers see to that; should one
 * ever fail, nothing must leave. */
static bool is_one_line(const char *command, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (command[i] == '\r' || command[i] == '\n' || command[i] == '\0') return false;
    return true;
}

/* What stands there already, or brings its own line end. */
static bool is_no_command(step said)
{
    return said == STEP_greeting || said == STEP_chunk || is_end(said);
}

bool smtp_transaction_leaves(const struct smtp_transaction *m, size_t i)
{
    if (m->overfilled) return m->to[i].again || m->to[i].verdict == SMTP_UNSENT;
    if (m->trouble.error == SMTP_ERROR_NONE) return m->to[i].again || i >= m->to_said;
    return m->trouble.error == SMTP_ERROR_NOBODY_ACCEPTED && i >= m->to_said;
}

size_t smtp_transaction_offer(const struct smtp_transaction *m)
{
    return m->overfilled ? m->to_accepted : 0;
}

static bool leaves_some(const struct smtp_transaction *m)
{
    if (m->full && m->trouble.error == SMTP_ERROR_NONE) return true;
    return m->to_said < m->to_count && smtp_transaction_leaves(m, m->to_count - 1);
}

static void leave(struct smtp_session *s, struct smtp_transaction **at)
{
    struct smtp_transaction *m = *at;
    *at = m->next;
    if (m->next == NULL) s->transactions_last = at == &s->transactions ? NULL : s->spoken;
    m->over = true;
    s->rest_wanted = leaves_some(m);
}

/* What the outcome of one that was said tells of the server. */
static void learn(struct smtp_session *s, const struct smtp_transaction *m)
{
    s->refused_crossing = m->followed && m->trouble.error != SMTP_ERROR_NONE;
    if (m->trouble.error != SMTP_ERROR_NONE)
        s->refused_count++;
    else if (m->followed && s->grade == SMTP_TRY)
        s->grade = SMTP_EAGER;
}

/* Some servers end a connection on which they have refused so many. */
static bool is_worn(const struct smtp_session *s)
{
    return s->opt.refused_max != 0 && s->refused_count >= s->opt.refused_max;
}

/* Everything said was answered, and `next` follows from the last answer. */
static step settle(struct smtp_session *s, step next)
{
    bool done = s->quit_wanted && !s->rest_wanted && s->transactions == NULL;
    if (next == STEP_rset && is_worn(s)) return give_up(s, SMTP_ERROR_WORN_OUT, NULL);
    if (next == STEP_rset && done) return STEP_quit;
    return next == STEP_ready ? dialogue_rest(s) : next;
}

/* Nobody was accepted in LMTP, and a lone dot has no answer then (RFC 2033 4.2). */
static step end_unanswered(struct smtp_session *s)
{
    s->flight_count--;
    learn(s, s->transactions);
    leave(s, &s->transactions);
    s->spoken = NULL;
    return settle(s, STEP_rset);
}

static void speak(struct smtp_session *s)
{
    step said = s->next;
    s->command_at = s->out_len;
    step then = steps[said].say(s);
    if (!is_no_command(said)) {
        if (!is_one_line(s->out + s->command_at, s->out_len - s->command_at)) {
            s->said_len -= s->out_len - s->command_at;
            s->out_len = s->command_at;
            s->next = drop(s, SMTP_ERROR_UNSAYABLE, NULL);
            return;
        }
        put_words(s, "\r\n");
    }
    size_t len = s->out_len - s->command_at;
    if (steps[said].turn == FLOW && len > s->command_len) s->command_len = len;
    s->next = then;
    if (steps[said].turn == HEAD) return;
    remember(s, said);
    if (!is_end(said)) return;
    s->spoken->end_at = s->said_len;
    if (s->due_count == 0) s->next = end_unanswered(s);
}

/* The message at hand goes out as there is room for it. */
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

/* RFC 2920 3.1 lets the next command ride behind the end of a message. Many servers fail there, so
 * it is done for those that the user knows alone, and a first time to see whether they do. Until
 * one chunk was accepted nobody knows whether the server takes chunks for what they are: nothing
 * but QUIT is said behind the first. */
static void go_past(struct smtp_session *s)
{
    struct smtp_transaction *m = s->spoken;
    if (s->next != STEP_ready || s->due_count == 0 || m == NULL || s->grade == SMTP_SAFE) return;
    if (!is_end(newest_run(s)->said) || !flows(s) || is_worn(s)) return;
    while (m->next != NULL && !envelope_allowed(s, m->next))
        leave(s, &m->next);
    if (m->next == NULL) {
        s->quit_crossing = s->quit_wanted && m->to_count <= SMTP_EAGER_QUIT_MAX;
        if (s->quit_crossing) s->next = STEP_quit;
    } else if ((s->bdat_known || newest_run(s)->said == STEP_final) &&
               s->flight_count < s->opt.flight_max &&
               s->said_len - s->transactions->begun_at < SMTP_EAGER_LEN_MAX) {
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

/* ---- outcomes ---- */

/* The step that the server has to answer, or what comes next where it has none. What has not left
 * us whole is still being sent. */
step dialogue_step(const struct smtp_session *s)
{
    if (s->run_count == 0) return s->next;
    const struct smtp_run *oldest = &s->runs[s->run_first];
    return is_end(oldest->said) && oldest->end_at > s->sent_len ? STEP_body : oldest->said;
}

static const char *stage_of(const struct smtp_session *s)
{
    return steps[dialogue_step(s)].stage;
}

/* What the EHLO reply lacks is missed by the step that would have come next. */
static const char *stage_for(const struct smtp_session *s, enum smtp_error error)
{
    if (error == SMTP_ERROR_TLS_NOT_OFFERED || error == SMTP_ERROR_TLS_HELO_ONLY)
        return steps[STEP_starttls].stage;
    if (error >= SMTP_ERROR_AUTH_NOT_OFFERED && error <= SMTP_ERROR_AUTH_UNVERIFIED)
        return steps[STEP_auth].stage;
    return stage_of(s);
}

/* What a server that took HELO might offer if it had taken EHLO. */
static bool is_for_ehlo(enum smtp_error error)
{
    return error == SMTP_ERROR_TLS_HELO_ONLY || error == SMTP_ERROR_AUTH_HELO_ONLY ||
           (error >= SMTP_ERROR_NO_PIPELINING && error <= SMTP_ERROR_TLS_UNVERIFIED);
}

static void note(struct smtp_session *s, struct smtp_trouble *trouble, enum smtp_error error,
                 const struct smtp_reply *r)
{
    trouble->error = error;
    trouble->stage = stage_for(s, error);
    trouble->answer = (struct smtp_answer){0};
    if (r != NULL)
        answer_take(&trouble->answer, r);
    else if (s->ehlo_refused && is_for_ehlo(error))
        trouble->answer = s->ehlo_reply;
}

/* Recipients accepted so far share the fate of the message, but for those with a verdict of their
 * own. */
static void decide(struct smtp_transaction *m, enum smtp_verdict verdict)
{
    for (size_t i = m->to_judged; i < m->to_heard; i++)
        if (m->to[i].verdict == SMTP_ACCEPTED) m->to[i].verdict = verdict;
    m->settled = true;
}

/* What a refusal means for recipients that were accepted: before DATA nothing was judged. */
static enum smtp_verdict verdict_of(enum smtp_error error, const struct smtp_reply *r)
{
    bool of_envelope = error >= SMTP_ERROR_NOBODY_ACCEPTED && error <= SMTP_ERROR_TOO_MANY;
    if (r == NULL || of_envelope || error == SMTP_ERROR_BDAT_UNKNOWN) return SMTP_UNSENT;
    return reply_class(r) == 4 ? SMTP_DEFERRED : SMTP_REFUSED;
}

void refuse(struct smtp_session *s, struct smtp_transaction *m, enum smtp_error error,
            const struct smtp_reply *r)
{
    if (m->trouble.error != SMTP_ERROR_NONE) return; /* the first one is the cause */
    note(s, &m->trouble, error, r);
    if (r == NULL) m->trouble.stage = steps[STEP_mail].stage; /* whatever is due before it */
    decide(m, verdict_of(error, r));
}

/* Where the end has left us, nobody knows of those whose answers did not come, either. */
static void break_transaction(struct smtp_session *s, struct smtp_transaction *m)
{
    bool ended = m->end_at != 0 && s->sent_len >= m->end_at;
    if (m->trouble.error == SMTP_ERROR_NONE && !m->settled) {
        m->trouble = s->trouble;
        m->overfilled = !ended && is_overfilled(s, m);
        decide(m, ended ? SMTP_UNKNOWN : SMTP_UNSENT);
        for (size_t i = m->to_heard; ended && i < m->to_said; i++)
            m->to[i].verdict = SMTP_UNKNOWN;
    }
    m->settled = m->over = true;
}

static bool is_resetting(const struct smtp_session *s)
{
    return s->run_count > 0 && s->runs[s->run_first].said == STEP_rset;
}

/* Did the server fail at what was said behind the end of a message? Dovecot's submission service
 * does at the RSET for a sender that it has refused there. A goodbye is no such failure where the
 * server was seen to manage. */
static bool blames_eager(const struct smtp_session *s, enum smtp_error error)
{
    const struct smtp_transaction *m = s->transactions, *next = m == NULL ? NULL : m->next;
    bool crossing = m != NULL && (m->crossing || (next != NULL && next->crossing));
    if (error < SMTP_ERROR_MALFORMED || error > SMTP_ERROR_TIMEOUT || error == SMTP_ERROR_ABORTED)
        return false;
    if (error == SMTP_ERROR_SHUTTING_DOWN) return crossing && s->grade == SMTP_TRY;
    return crossing || s->quit_crossing || (is_resetting(s) && s->refused_crossing);
}

/* Of those in the queue the first is the one that was being answered, where any was. */
static void pick_bystanders(struct smtp_session *s, enum smtp_error error)
{
    bool between = is_resetting(s) || error == SMTP_ERROR_WORN_OUT;
    for (struct smtp_transaction *m = s->transactions; m != NULL; m = m->next)
        m->bystander = between || (m != s->transactions && s->flight_count > 0) ||
                       (m->crossing && s->eager_failed);
}

static void end_all(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (s->trouble.error == SMTP_ERROR_NONE) note(s, &s->trouble, error, r);
    if (blames_eager(s, error)) s->eager_failed = true;
    pick_bystanders(s, error);
    for (struct smtp_transaction *m = s->transactions; m != NULL; m = m->next)
        break_transaction(s, m);
    s->transactions = s->transactions_last = s->spoken = NULL;
    s->flight_count = 0;
}

/* The session is over, but the server is sane: say QUIT (RFC 5321 4.1.1.10). */
step give_up(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    end_all(s, error, r);
    return STEP_quit;
}

/* The session is over at once. Trouble at QUIT is no trouble. */
step drop(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (s->run_count == 0 || s->runs[s->run_first].said != STEP_quit)
        end_all(s, error, r);
    else if (s->quit_crossing && error == SMTP_ERROR_TIMEOUT)
        s->eager_failed = true;
    s->run_count = s->due_count = 0;
    if (s->out_secret) wipe(s->out, s->out_len);
    s->out_at = s->out_len = 0;
    s->gathering = false;
    return STEP_over;
}

/* ---- listening ---- */

/* Between transactions: the next one, QUIT where it is wanted, or rest. */
step dialogue_rest(struct smtp_session *s)
{
    while (s->transactions != NULL && !envelope_allowed(s, s->transactions))
        leave(s, &s->transactions);
    if (s->transactions != NULL && is_worn(s)) return give_up(s, SMTP_ERROR_WORN_OUT, NULL);
    if (s->transactions != NULL) {
        begin(s, s->transactions);
        return STEP_mail;
    }
    return s->quit_wanted && !s->rest_wanted ? STEP_quit : STEP_ready;
}

/* One reply to `m` was heard, and `next` is what follows from it. A transaction is over where it is
 * settled, or the speaker has gone past it, and nothing more is due. -> shall we do what follows?
 */
static bool heard(struct smtp_session *s, struct smtp_transaction *m, step next)
{
    bool is_spoken = m == s->spoken;
    if (--m->due_count > 0) return false;
    m->crossing = false;
    if (is_spoken && (!m->settled || next == STEP_final)) return true;
    if (is_spoken) chunk_forget(s);
    learn(s, m);
    s->flight_count--;
    leave(s, &s->transactions);
    if (is_spoken) s->spoken = NULL;
    return is_spoken;
}

/* The server speaks before it can have heard us. Only 421, and a refusal while the message is on
 * its way, have a meaning then. */
static step hear_unasked(struct smtp_session *s, const struct smtp_reply *r)
{
    bool sending = s->next == STEP_body || s->next == STEP_octets;
    if (s->run_count > 0) {
        step asked = run_at(s, 0)->said;
        sending = is_end(asked) || asked == STEP_chunk;
    }
    if (r->code == 421) return drop(s, SMTP_ERROR_SHUTTING_DOWN, r);
    if (!sending || reply_class(r) < 4) return drop(s, SMTP_ERROR_UNASKED, r);
    enum smtp_error error = message_error(s, r);
    refuse(s, s->transactions, error, r);
    return drop(s, error, r);
}

/* 421 may come at any time (RFC 5321 3.8); what it means in the greeting and in AUTH, and that it
 * means nothing at QUIT, those steps know themselves. */
static bool is_goodbye(step asked, const struct smtp_reply *r)
{
    return r->code == 421 && asked != STEP_greeting && asked != STEP_auth && asked != STEP_answer &&
           asked != STEP_quit;
}

/* In the place of the answer to a message it is one: not taken, for now. Answers come in order:
 * what was said behind the command that it answers was not taken at all. */
static step part(struct smtp_session *s, step asked, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (is_end(asked)) {
        message_deferred(s, r);
        m = m->next;
    }
    for (; m != NULL; m = m->next)
        m->end_at = 0;
    return drop(s, SMTP_ERROR_SHUTTING_DOWN, r);
}

void dialogue_hear(struct smtp_session *s, const struct smtp_reply *r)
{
    s->reply_count++;
    if (s->due_count == 0 || s->reply_unasked) {
        s->next = hear_unasked(s, r);
        return;
    }
    struct smtp_run *oldest = run_at(s, 0);
    step asked = oldest->said;
    step next = is_goodbye(asked, r) ? part(s, asked, r) : steps[asked].hear(s, r);
    if (next == STEP_over) {
        s->run_count = s->due_count = 0;
        s->next = next;
        return;
    }
    s->due_count--;
    oldest->end_at = 0;
    if (--oldest->count == 0) {
        s->run_first = (s->run_first + 1) % SMTP_RUNS_MAX;
        s->run_count--;
    }
    bool follow = !is_of_transaction(asked) || heard(s, s->transactions, next);
    if (follow && s->due_count == 0) s->next = settle(s, next);
}

/* ---- what a driver sees ---- */

unsigned smtp_wants(const struct smtp_session *s)
{
    unsigned wants = 0;
    if (smtp_send_buf(s).len > 0) wants |= SMTP_WANT_SEND;
    if (dialogue_over(s)) return SMTP_WANT_NOTHING;
    if (chunk_wants_body(s)) wants |= SMTP_WANT_BODY;
    if (s->due_count > 0 || s->next == STEP_octets) return wants | SMTP_WANT_RECV;
    if (auth_needs_secret(s)) return wants | SMTP_WANT_SECRET;
    if (auth_needs_answer(s)) return wants | SMTP_WANT_ANSWER;
    if (s->next == STEP_tls) return wants | SMTP_WANT_TLS;
    if (s->next == STEP_ready) return wants | SMTP_WANT_READY;
    if (s->next == STEP_body) {
        wants |= SMTP_WANT_RECV;
        if (s->spoken->text.data == NULL && wire_room(s) >= COMMAND_MAX) wants |= SMTP_WANT_BODY;
    }
    return wants;
}

enum smtp_grade smtp_grade(const struct smtp_session *s)
{
    return s->grade;
}

void smtp_set_grade(struct smtp_session *s, enum smtp_grade grade)
{
    if (!s->opt.lmtp) s->grade = grade;
}

double smtp_patience(const struct smtp_session *s, const struct smtp_clock *clock, double now)
{
    enum patience patience = steps[dialogue_step(s)].patience;
    double left = clock->deadline - now, most = clock->reply_timeout;
    if (patience == WHOLE) return left;
    if (patience == PARTING || (patience == BRIEF && most > BRIEF_SECONDS)) most = BRIEF_SECONDS;
    most -= now - clock->moved;
    return most < left ? most : left;
}

bool smtp_eager_failed(const struct smtp_session *s)
{
    return s->eager_failed;
}

const char *smtp_session_stage(const struct smtp_session *s)
{
    return stage_of(s);
}

/* The connection ended within a reply. A 421 counts as one all the same: it decides nothing but
 * that the conversation is over. Of any other only the words are kept, for a person. */
static step hear_cut(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (r->code != 421) return drop(s, error, r);
    s->reply_count++;
    if (s->due_count == 0 || s->reply_unasked || is_goodbye(run_at(s, 0)->said, r))
        return drop(s, SMTP_ERROR_SHUTTING_DOWN, r);
    return steps[run_at(s, 0)->said].hear(s, r);
}

void smtp_break(struct smtp_session *s, enum smtp_error error, const char *text, size_t len)
{
    struct smtp_reply r = {.text = text, .text_len = len};
    bool waited = error == SMTP_ERROR_CLOSED || error == SMTP_ERROR_TIMEOUT;
    if (waited && reply_cut(s, &r))
        s->next = hear_cut(s, error, &r);
    else
        s->next = drop(s, error, &r);
    s->run_count = s->due_count = 0;
}

void smtp_transaction_add(struct smtp_session *s, struct smtp_transaction *transaction)
{
    transaction->next = NULL;
    transaction->queued = true;
    if (s->next == STEP_over || s->next == STEP_quit) {
        if (s->trouble.error == SMTP_ERROR_NONE) note(s, &s->trouble, SMTP_ERROR_CLOSED, NULL);
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
    static const step asks[] = {
        [SMTP_ASK_RSET] = STEP_rset, [SMTP_ASK_NOOP] = STEP_noop, [SMTP_ASK_VRFY] = STEP_vrfy};
    if (s->next != STEP_ready || s->due_count > 0) return;
    s->argument = argument;
    s->next = asks[question];
    dialogue_go_on(s);
}
