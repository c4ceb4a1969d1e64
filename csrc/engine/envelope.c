/* envelope.c - MAIL FROM and RCPT TO, and RSET. */
#include "session.h"

static unsigned required(const struct smtp_transaction *m)
{
    unsigned ext = m->ext_require;
    if (m->eightbit && !m->binary) ext |= SMTP_EXT_8BITMIME;
    if (m->utf8) ext |= SMTP_EXT_SMTPUTF8;
    if (m->requiretls) ext |= SMTP_EXT_REQUIRETLS;
    return ext;
}

static bool says_size(const struct smtp_session *s, const struct smtp_transaction *m)
{
    return offers(s, SMTP_EXT_SIZE) && m->size != SMTP_LEN_UNKNOWN;
}

/* Returns `count`, but at most `max`; 0 means that there is no limit. */
static size_t fewer(size_t count, size_t max)
{
    return max != 0 && max < count ? max : count;
}

/* How many recipients the server allows in one transaction (RFC 9422 4). */
static size_t to_max(const struct smtp_session *s, const struct smtp_transaction *m)
{
    return fewer(m->to_count, offers(s, SMTP_EXT_LIMITS) ? s->facts.rcpt_max : 0);
}

static bool is_held_too_long(const struct smtp_session *s, const struct smtp_transaction *m)
{
    if (!offers(s, SMTP_EXT_FUTURERELEASE)) return false;
    if (s->hold_max != 0 && m->hold_seconds > s->hold_max) return true;
    return m->hold_until.len == SMTP_DATE_LEN && s->hold_until_max[0] != '\0' &&
           memcmp(m->hold_until.data, s->hold_until_max, SMTP_DATE_LEN) > 0;
}

static enum smtp_error find_obstacle(const struct smtp_session *s, const struct smtp_transaction *m)
{
    bool soon = m->by_return && m->by_seconds < s->by_min;
    /* RFC 8689 4.2.1 */
    if (m->requiretls && !s->facts.tls_verified) return SMTP_ERROR_TLS_UNVERIFIED;
    enum smtp_error missing = extensions_missing(s, required(m));
    if (missing != SMTP_ERROR_NONE) return missing;
    if (says_size(s, m) && s->facts.size_max != 0 && m->size > s->facts.size_max)
        return SMTP_ERROR_TOO_LARGE;
    if (m->all && to_max(s, m) < m->to_count) return SMTP_ERROR_TOO_MANY;
    if (soon && offers(s, SMTP_EXT_DELIVERBY)) return SMTP_ERROR_BY_TOO_SOON;
    return is_held_too_long(s, m) ? SMTP_ERROR_HOLD_TOO_LONG : SMTP_ERROR_NONE;
}

/* Prepares MAIL. What can be known before it is checked here: the transaction then ends unsaid. A
 * message sent as BINARYMIME is not text, whatever it contains: DATA cannot be said then (RFC 3030
 * 3). Of the recipients as many are offered as the server took in the last transaction; the others
 * are for the next one. */
bool envelope_allowed(struct smtp_session *s, struct smtp_transaction *m)
{
    m->binary = m->binary_wanted && m->source_len != 0 &&
                offers(s, SMTP_EXT_BINARYMIME | SMTP_EXT_CHUNKING);
    if (m->binary) {
        m->text_size = m->size;
        m->size = m->source_len;
    }
    enum smtp_error error = find_obstacle(s, m);
    if (error != SMTP_ERROR_NONE) refuse(s, m, error, NULL);
    m->to_end = m->all ? m->to_count : fewer(fewer(to_max(s, m), s->rcpt_offer), m->offer);
    return !m->has_outcome;
}

/* ---- MAIL (RFC 5321 4.1.1.2) ---- */

static void put_value(struct smtp_session *s, const char *parameter, struct smtp_text value)
{
    if (value.len == 0) return;
    put_words(s, parameter);
    put(s, value.data, value.len);
}

static void put_seconds(struct smtp_session *s, const char *parameter, uint32_t seconds)
{
    if (seconds == 0) return;
    put_words(s, parameter);
    put_number(s, seconds);
}

/* " BY=3600;RT" (RFC 2852 4) */
static void put_deadline(struct smtp_session *s, const struct smtp_transaction *m)
{
    if (m->by_seconds == 0) return;
    put_seconds(s, " BY=", m->by_seconds);
    put_words(s, m->by_return ? ";R" : ";N");
    if (m->by_trace) put_words(s, "T");
}

/* Returns what follows the last RCPT. */
static step after_recipients(const struct smtp_session *s, const struct smtp_transaction *m)
{
    return s->opt.halt == SMTP_HALT_RCPT ? STEP_rset : message_begin(s, m);
}

/* The dialogue ends here: what was said so far is the outcome. */
static step halt(struct smtp_transaction *m)
{
    m->has_outcome = true;
    return STEP_rset;
}

step say_mail(struct smtp_session *s)
{
    const struct smtp_transaction *m = s->spoken;
    put_words(s, "MAIL FROM:<");
    put(s, m->from.data, m->from.len);
    put_words(s, ">");
    if (says_size(s, m)) {
        put_words(s, " SIZE=");
        put_number(s, m->size);
    }
    if (m->binary) put_words(s, " BODY=BINARYMIME"); /* RFC 3030 3 */
    if (m->eightbit && !m->binary) put_words(s, " BODY=8BITMIME");
    if (m->utf8) put_words(s, " SMTPUTF8"); /* RFC 6531 3.4 */
    if (offers(s, SMTP_EXT_DSN)) put_value(s, " RET=", m->ret);
    if (offers(s, SMTP_EXT_DSN)) put_value(s, " ENVID=", m->envid);
    if (m->requiretls) put_words(s, " REQUIRETLS"); /* RFC 8689 4 */
    if (offers(s, SMTP_EXT_DELIVERBY)) put_deadline(s, m);
    if (offers(s, SMTP_EXT_FUTURERELEASE)) put_seconds(s, " HOLDFOR=", m->hold_seconds);
    if (offers(s, SMTP_EXT_FUTURERELEASE)) put_value(s, " HOLDUNTIL=", m->hold_until);
    if (offers(s, SMTP_EXT_MT_PRIORITY)) put_value(s, " MT-PRIORITY=", m->mt_priority);
    return s->opt.halt == SMTP_HALT_MAIL ? STEP_rset : STEP_rcpt;
}

static enum smtp_error sender_error(const struct smtp_session *s, const struct smtp_reply *r)
{
    enum smtp_error first = required_first(s, r, false);
    bool courier = r->code == 534 && r->enhanced[1] != 7; /* its answer to SIZE= */
    if (first != SMTP_ERROR_NONE) return first;
    if (says_size(s, s->transactions) && (courier || reply_says_size(r)))
        return SMTP_ERROR_TOO_LARGE;
    return SMTP_ERROR_SENDER_REFUSED;
}

step hear_mail(struct smtp_session *s, const struct smtp_reply *r)
{
    if (reply_class(r) == 3) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (reply_class(r) == 2) {
        s->transactions->sender_accepted = true;
        if (s->opt.halt != SMTP_HALT_MAIL) return STEP_rcpt;
        s->transactions->to_said = s->transactions->to_count; /* none is for a further one */
        return halt(s->transactions);
    }
    refuse(s, s->transactions, sender_error(s, r), r);
    return STEP_rset;
}

/* ---- RCPT (RFC 5321 4.1.1.3) ---- */

step say_rcpt(struct smtp_session *s)
{
    struct smtp_transaction *m = s->spoken;
    const struct smtp_recipient *to = &m->to[m->to_said++];
    put_words(s, "RCPT TO:<");
    put(s, to->address.data, to->address.len);
    put_words(s, ">");
    if (offers(s, SMTP_EXT_DSN))
        put_value(s, " NOTIFY=", to->notify.len > 0 ? to->notify : m->notify);
    if (offers(s, SMTP_EXT_DSN)) put_value(s, " ORCPT=", to->orcpt);
    return m->to_said < m->to_end ? STEP_rcpt : after_recipients(s, m);
}

/* Keeps the server's words in the caller's room. Words that equal those about the recipient before
 * are kept once. */
static void keep_words(struct smtp_transaction *m, struct smtp_recipient *to,
                       const struct smtp_reply *r)
{
    const struct smtp_recipient *before = to > m->to ? to - 1 : NULL;
    size_t room = m->texts_max - m->texts_len;
    if (room > SMTP_TEXT_MAX) room = SMTP_TEXT_MAX;
    to->text_at = (uint32_t)m->texts_len;
    to->text_len = (uint32_t)copy_words(m->texts + m->texts_len, room, r);
    if (before != NULL && before->text_len == to->text_len &&
        memcmp(m->texts + before->text_at, m->texts + to->text_at, to->text_len) == 0)
        to->text_at = before->text_at;
    else
        m->texts_len += to->text_len;
}

void recipient_judged(struct smtp_transaction *m, struct smtp_recipient *to,
                      const struct smtp_reply *r)
{
    static const enum smtp_verdict verdicts[] = {
        [2] = SMTP_ACCEPTED, [4] = SMTP_DEFERRED, [5] = SMTP_REFUSED};
    to->code = r->code;
    memcpy(to->enhanced, r->enhanced, sizeof to->enhanced);
    keep_words(m, to, r);
    to->verdict = verdicts[reply_class(r)];
}

/* RFC 5321 4.5.3.1.10: 452, or 552 from older servers; 431 from Courier; any other 4yz where the
 * enhanced status says so. Only after a recipient that was accepted, and not where the enhanced
 * status names another cause, such as a full mailbox. */
static bool is_one_too_many(const struct smtp_transaction *m, const struct smtp_reply *r)
{
    bool named = reply_is_about(r, 5, 3);
    if (m->to_accepted == 0) return false;
    if (r->code == 452 || r->code == 431) return named || !reply_has_status(r);
    return named && (reply_class(r) == 4 || r->code == 552);
}

/* A refusal of class `first` tells most, unless it is permanent: then one that demands TLS or AUTH
 * does, whatever its code is, because time changes nothing about it. 0: not a refusal. */
static unsigned weight(unsigned first, unsigned class, bool demands)
{
    if (class < 4) return 0;
    if (demands) return first == 4 ? 2 : 3;
    if (class == 5) return first == 4 ? 1 : 2;
    return first == 4 ? 3 : 1;
}

/* Of several refusals one decides what the error says, and its answer is kept in `trouble` until
 * then: the one that tells most, the first of these. */
void refusal_weigh(struct smtp_transaction *m, unsigned first, bool demands,
                   const struct smtp_reply *r)
{
    unsigned kept = weight(first, m->trouble.answer.code / 100u, m->demands);
    if (weight(first, reply_class(r), demands) <= kept) return;
    m->demands = demands;
    answer_take(&m->trouble.answer, r);
}

/* Where any recipient may get the message, a later attempt may help after a temporary refusal;
 * where all must, a permanent refusal excludes it. */
static void take_verdict(struct smtp_session *s, struct smtp_transaction *m,
                         const struct smtp_reply *r)
{
    struct smtp_recipient *to = &m->to[m->to_heard];
    recipient_judged(m, to, r);
    refusal_weigh(m, m->all ? 5 : 4, required_first(s, r, false) != SMTP_ERROR_NONE, r);
    to->again = is_one_too_many(m, r);
    if (to->again) {
        m->full = true;
        m->to_end = m->to_said;
    }
    if (to->verdict == SMTP_ACCEPTED) m->to_accepted++;
}

/* Learns how many recipients the next transaction offers: as many as this one took, and one more
 * after each that took all of its own. */
static void learn_offer(struct smtp_session *s, const struct smtp_transaction *m)
{
    if (m->full)
        s->rcpt_offer = m->to_accepted;
    else if (s->rcpt_offer != 0 && m->to_accepted == s->rcpt_offer)
        s->rcpt_offer++;
}

/* Did the server end the connection because of the recipients that it had refused? The message was
 * not sent. RFC 3463 3.6: X.5.3 means too many recipients. */
bool is_overfilled(const struct smtp_session *s, const struct smtp_transaction *m)
{
    const struct smtp_trouble *t = &s->status.trouble;
    const uint16_t *enhanced = t->answer.enhanced;
    step at = current_step(s);
    bool named = enhanced[1] == 5 && enhanced[2] == 3 && m->to_heard < m->to_said;
    bool refused = m->to_heard > m->to_accepted || (named && m->to_accepted > 0);
    if (t->error != SMTP_ERROR_CLOSED && t->error != SMTP_ERROR_SHUTTING_DOWN) return false;
    if (at != STEP_rcpt && at != STEP_data && at != STEP_bdat) return false;
    return !m->all && refused;
}

/* Refuses the transaction with the refusal that decides for all of its recipients. */
static void refuse_recipients(struct smtp_session *s, struct smtp_transaction *m)
{
    const struct smtp_answer kept = m->trouble.answer;
    struct smtp_reply r = answer_reply(&kept);
    enum smtp_error error =
        m->to_accepted == 0 ? SMTP_ERROR_NOBODY_ACCEPTED : SMTP_ERROR_NOT_ALL_ACCEPTED;
    if (is_one_too_many(m, &r)) error = SMTP_ERROR_TOO_MANY;
    if (m->demands) error = required_first(s, &r, false);
    refuse(s, m, error, &r);
}

step hear_rcpt(struct smtp_session *s, const struct smtp_reply *r)
{
    struct smtp_transaction *m = s->transactions;
    if (reply_class(r) == 3) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    /* After a refused MAIL the answers to RCPT are echoes of it. */
    if (m->sender_accepted)
        take_verdict(s, m, r);
    else if (reply_class(r) == 2)
        m->contradicted = true;
    m->to_heard++;
    if (m->trouble.error != SMTP_ERROR_NONE) return STEP_rset;
    if (m->to_heard < m->to_end) return STEP_rcpt;
    learn_offer(s, m);
    if (m->to_accepted == 0 || (m->all && m->to_accepted < m->to_count)) refuse_recipients(s, m);
    if (m->trouble.error != SMTP_ERROR_NONE) return STEP_rset;
    return s->opt.halt == SMTP_HALT_RCPT ? halt(m) : message_begin(s, m);
}

/* ---- RSET (RFC 5321 4.1.1.5): after a refused envelope, and wait for it ---- */

/* Is this the answer to RSET? Another one answers what a server found in the harmless chunk. */
static bool is_reset(struct smtp_session *s, const struct smtp_reply *r)
{
    if (reply_class(r) != 2 || r->code == 221) return false;
    if (s->on_trial) s->facts.consumes_chunks = true;
    s->on_trial = false;
    return true;
}

static step reset_refused(struct smtp_session *s, const struct smtp_reply *r)
{
    part(s, s->transactions, s->on_trial ? SMTP_ERROR_CHUNK_NOT_CONSUMED : SMTP_ERROR_RESET_REFUSED,
         r);
    return STEP_over;
}

/* When this RSET was said, the transaction before may already have been refused: without it, some
 * servers would go on with that one and give the next message its sender. */
step hear_renew(struct smtp_session *s, const struct smtp_reply *r)
{
    return is_reset(s, r) ? STEP_mail : reset_refused(s, r);
}

step hear_rset(struct smtp_session *s, const struct smtp_reply *r)
{
    answer_take(&s->status.asked, r);
    return is_reset(s, r) ? STEP_ready : reset_refused(s, r);
}
