/* session.h - the inside of a session. smtp.h explains what a session does; this is how.
 *
 * Steps
 *
 *   The conversation is a walk over the steps of the table below. A step that says something has a
 *   function say_X, or constant words in the table; one that is answered has a function hear_X. The
 *   table names the file of both.
 *   say_X writes one command into the output buffer and returns the step that would be said next
 *   if no answer had to be awaited. hear_X takes one whole reply and returns the step that follows
 *   from it. The two predictions differ only where the server refuses: for example say_mail
 *   returns `rcpt`, hear_mail returns `rcpt` or `rset`.
 *
 *   `next` is the step to be said next. dialogue_go_on is called after every event: while the turn
 *   is ours (may_speak) it says `next` and moves on. When the last answer that was due has come,
 *   `next` becomes what that answer's hear_X returned. While answers are still due, the results of
 *   hear_X are dropped, except for what they record in the transaction: what has been said cannot
 *   be unsaid, so a refused MAIL is followed by answers to its RCPT and DATA, and only then by
 *   RSET.
 *
 * The ring of runs
 *
 *   All that is said and not answered is a list of runs in a ring, oldest first. A run is a step
 *   and how many replies to it are due: a hundred RCPT are one run, and the end of a message in
 *   LMTP is one run with a reply for each accepted recipient. A whole reply always answers the
 *   oldest run: dialogue_hear calls its hear_X, counts the reply, and takes the run out when it
 *   was the last one. A transaction has at most four runs (RSET, MAIL, RCPT, and DATA or its end),
 *   so the ring holds SMTP_FLIGHT_MAX of them; where it is full, nothing more is said.
 *
 *   Said, sent and answered are places in one stream of bytes. said_len counts the bytes written
 *   into the buffer, sent_len those that have left. Each run, and each RCPT in it, knows where it
 *   ends in that stream (`end_at`). When the first byte of a reply arrives, is_unasked compares: a
 *   command whose end is beyond sent_len cannot have been heard, and the reply is not its answer.
 *   For a transaction, the same comparison shows whether its end has left, which decides between
 *   UNSENT and UNKNOWN when the session breaks.
 *
 * Two transactions at a time
 *
 *   `transactions` is the queue, and its first element is the one that is being answered. `spoken`
 *   is the one that is being said. They are the same as long as nothing is said past the end of a
 *   message. go_past moves `spoken` ahead: where the end of a message is the newest thing said and
 *   the grade allows it, the next transaction begins with `renew` (RSET), or QUIT is said if
 *   nothing follows. hear_X functions therefore look at `transactions`, say_X functions at
 *   `spoken`.
 *
 *   A transaction is `crossing` from the time when it began past another one until its answers are
 *   all in; one that began so is `followed`. They show, when the session breaks, whether this way
 *   of speaking is to blame (blames_eager), and after the first success, that the server can
 *   handle it (learn_outcome: TRY becomes EAGER).
 *
 *   count_reply ends a transaction: nothing more is due, and its outcome is final or the speaker
 *   has gone past it. It leaves the queue, `over` is set, and the caller's driver may read it.
 *
 * The message
 *
 *   A message with `text` is in memory and written by pump as the buffer has room. Any other is
 *   asked for in pieces (BODY). Both pass body_take, which makes every line end CRLF, doubles
 *   dots, and refuses NUL, long lines, undeclared 8-bit and Bcc; `ready` says that the text was
 *   scanned before and needs none of this. In BDAT the octets are counted instead: an exact
 *   message is one chunk; of any other, chunks are gathered in the buffer after room for their
 *   command, and leave only when it is written before them.
 *
 * How things end
 *
 *   refuse() ends a transaction: it records the error, its stage and the server's words, and gives
 *   the recipients their verdicts; the hear_X that calls it returns `rset`. give_up() ends the
 *   session politely: every transaction is broken, QUIT is said. drop() ends it at once: nothing
 *   more is said, the buffer is emptied and wiped. The first error wins in all three.
 *
 * The laws
 *
 *   1. A say_ writes at most one command and looks at no reply. It returns the step we would say
 *      next if we need not wait.
 *   2. A hear_ takes one whole reply, writes nothing, and returns the step that follows.
 *   3. Only turn.c and dialogue.c know whose turn it is.
 *   4. An option is tested in one place.
 *   5. An outcome is recorded by refuse() (this transaction) or give_up() and drop() (the session)
 *      alone.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "../smtp.h"
#include "../wipe.h"

#pragma GCC visibility push(hidden)

/* The dialogue, in the order in which it is spoken. The columns:
 *
 *   name      STEP_name
 *   turn      WAIT: the server must answer before more is said. FLOW: where PIPELINING is offered,
 *             more may be said at once (RFC 2920 3.1). MUTE: nothing is said. HEAD: said, and
 *             answered together with what follows it
 *   stage     what users call it
 *   patience  how long a driver waits for the reply. REPLY: reply_timeout. BRIEF: the same, but at
 *             most two seconds. PARTING: two seconds. WHOLE: all the time there is: smtp_patience
 *   say       writes the command; say_words writes the column `words`, and the step `then` follows
 *   hear      takes the reply
 */
/* clang-format off */
#define SMTP_STEPS(X) \
    X(greeting, WAIT, "greeting", REPLY,   say_words,  hear_greeting, "",         ehlo)   /* S: 220            hello.c    */ \
    X(ehlo,     WAIT, "ehlo",     REPLY,   say_ehlo,   hear_ehlo,     NULL,       ehlo)   /* C: EHLO           hello.c    */ \
    X(helo,     WAIT, "ehlo",     REPLY,   say_helo,   hear_helo,     NULL,       helo)   /* C: HELO           hello.c    */ \
    X(starttls, WAIT, "starttls", REPLY,   say_words,  hear_starttls, "STARTTLS", tls)    /* C: STARTTLS       starttls.c */ \
    X(tls,      MUTE, "tls",      REPLY,   NULL,       NULL,          NULL,       tls)    /* (the handshake)              */ \
    X(auth,     WAIT, "auth",     REPLY,   say_auth,   hear_auth,     NULL,       auth)   /* C: AUTH           exchange.c */ \
    X(answer,   WAIT, "auth",     REPLY,   say_answer, hear_answer,   NULL,       answer) /* C: (response)     exchange.c */ \
    X(ready,    MUTE, "ready",    REPLY,   NULL,       NULL,          NULL,       ready)  /* (no transaction at hand)     */ \
    X(trial,    FLOW, "data",     REPLY,   say_trial,  hear_trial,    NULL,       rset)   /* C: BDAT 6         chunking.c */ \
    X(renew,    FLOW, "rset",     BRIEF,   say_words,  hear_renew,    "RSET",     mail)   /* C: RSET           envelope.c */ \
    X(mail,     FLOW, "mail",     REPLY,   say_mail,   hear_mail,     NULL,       mail)   /* C: MAIL FROM      envelope.c */ \
    X(rcpt,     FLOW, "rcpt",     REPLY,   say_rcpt,   hear_rcpt,     NULL,       rcpt)   /* C: RCPT TO        envelope.c */ \
    X(data,     WAIT, "data",     REPLY,   say_words,  hear_data,     "DATA",     body)   /* C: DATA           message.c  */ \
    X(body,     MUTE, "body",     REPLY,   NULL,       NULL,          NULL,       body)   /* (the message)     message.c  */ \
    X(final,    WAIT, "final",    WHOLE,   say_final,  hear_final,    NULL,       final)  /* C: .              message.c  */ \
    X(bdat,     HEAD, "data",     REPLY,   say_bdat,   NULL,          NULL,       bdat)   /* C: BDAT           chunking.c */ \
    X(octets,   MUTE, "body",     REPLY,   NULL,       NULL,          NULL,       octets) /* (the message)     chunking.c */ \
    X(chunk,    WAIT, "body",     REPLY,   say_words,  hear_chunk,    "",         octets) /* (a chunk's end)   chunking.c */ \
    X(last,     WAIT, "final",    WHOLE,   say_words,  hear_last,     "",         ready)  /* (the last one's)  chunking.c */ \
    X(rset,     WAIT, "rset",     REPLY,   say_words,  hear_rset,     "RSET",     ready)  /* C: RSET           envelope.c */ \
    X(noop,     WAIT, "noop",     REPLY,   say_words,  hear_asked,    "NOOP",     ready)  /* C: NOOP           hello.c    */ \
    X(vrfy,     WAIT, "vrfy",     REPLY,   say_vrfy,   hear_asked,    NULL,       vrfy)   /* C: VRFY           hello.c    */ \
    X(quit,     WAIT, "quit",     PARTING, say_words,  hear_quit,     "QUIT",     over)   /* C: QUIT           hello.c    */ \
    X(over,     MUTE, "quit",     PARTING, NULL,       NULL,          NULL,       over)   /* (nothing more)               */
/* clang-format on */

typedef enum smtp_step {
#define X(name, ...) STEP_##name,
    SMTP_STEPS(X)
#undef X
} step;

/* One whole reply, as reply.c gives it. `text` is raw: lines joined by LF, codes removed. */
struct smtp_reply {
    uint16_t code;
    uint16_t enhanced[3];
    const char *text;
    size_t text_len;
    bool cut;                       /* more was said than is kept */
    const struct smtp_text *hidden; /* secrets that must not be shown, longest first */
    size_t hidden_count;
};

/* Commands of one kind said and not yet answered, oldest first. `end_at` is where the first of
 * them ends in our stream of bytes: a reply that begins before it has left us answers nothing. Each
 * RCPT has its own, in smtp_recipient. */
struct smtp_run {
    step said;
    uint32_t count;
    uint64_t end_at;
};

/* A transaction has up to four runs: RSET, MAIL, RCPT, and the message's end. */
enum { SMTP_RUNS_MAX = 4 * SMTP_FLIGHT_MAX + 8, SMTP_HELLO_MAX = SMTP_KEPT_MAX };

/* Octets of a server's name, its capabilities and mechanisms that are kept without working memory.
 */
enum { FACTS_KEPT_MAX = 1024 };

/* The longest command. AUTH and its answers may be longer, and have the empty buffer. */
enum { COMMAND_MAX = 1024 };

struct smtp_session {
    struct smtp_options opt;
    struct smtp_facts facts;
    struct smtp_status status;

    /* dialogue.c */
    step next;                   /* the step that comes next when no reply is due */
    size_t run_first, run_count; /* of the ring `runs` */
    size_t due_count;            /* replies that are due, over all runs */
    struct smtp_transaction *transactions,
        *transactions_last;          /* unfinished ones, oldest first; the first is answered */
    struct smtp_transaction *spoken; /* the transaction that is being said, or NULL */
    size_t flight_count;             /* transactions said in part or whole, and not yet answered */
    size_t over_count;               /* transactions that were answered, */
    size_t refused_count;            /* and those of them that were refused */
    bool refused_crossing;           /* the newest refused one had begun past another one's end, */
    bool refused_ahead;              /* or its chunk had gone ahead */
    bool quit_wanted;                /* the caller wants QUIT once the queue is empty */
    bool quit_crossing;              /* QUIT was said after an end that was not answered yet */
    bool parting;                    /* the server ended this, but ends of messages had left */
    bool stream_ended;               /* the server has closed the connection: it says no more */
    bool rest_wanted; /* the last transaction left recipients to a further one: no QUIT yet */

    /* wire.c: the stream of bytes we say */
    char *out;
    size_t out_max, out_at, out_len; /* what is unsent is out[out_at] .. out[out_len] */
    size_t command_at;               /* where the command that is being written begins */
    size_t command_len;              /* of the longest command that others may follow at once */
    uint64_t said_len, sent_len;     /* octets of the stream that were said, and sent */
    struct smtp_transaction *held;   /* the first whose end must not leave yet, or NULL */
    bool out_secret;                 /* the buffer contains a secret */
    bool may_lend;                   /* the piece at hand may be lent */
    bool sent_in_part;               /* the driver could not send all that was there */
    struct smtp_text lent;           /* octets of a piece, said after those in the buffer */

    /* transcript.c: what was said and heard */
    uint64_t shown_len;    /* octets that were ever kept in the ring `shown` */
    uint64_t shown_whole;  /* those of whole lines */
    char shown_side;       /* side of the line that is being kept, 'C' or 'S'; 0: there is none */
    size_t shown_line_len; /* octets of that line so far, kept or not */
    bool shown_cr;         /* its last octet so far is a CR */
    uint64_t shown_ahead;  /* octets of a command that leave next, and were shown already */
    uint64_t octets_left;  /* octets of a message that leave after them */
    uint64_t shown_octets; /* octets of messages that have left, and are not shown yet */

    /* reply.c: the line and the reply that are being heard */
    size_t line_len;
    size_t text_len, reply_len, reply_lines;
    uint16_t reply_code;
    bool reply_unasked; /* the reply began before its command had left */
    bool text_cut;      /* the reply has more text than is kept */
    size_t hidden_count;

    /* extensions.c: what the server offers, beside the facts */
    unsigned ext;                       /* extensions in the newest EHLO reply; see offers() */
    uint32_t by_min, hold_max;          /* seconds (RFC 2852 4, RFC 4865 4); 0: there is no limit */
    char hold_until_max[SMTP_DATE_LEN]; /* empty: there is no limit */

    /* auth.c, exchange.c */
    struct smtp_text secret;
    enum smtp_secret secret_kind; /* NONE: `secret` is not known yet */
    size_t mech;                  /* the mechanism in use, an index into opt.mechs */
    unsigned turn;                /* answers that it has given so far */
    bool initial;                 /* AUTH was said with an initial response */
    bool no_initial;              /* the server takes no initial response */
    bool content;                 /* the mechanism needs nothing more: 235 may come */
    bool failed;                  /* the server said in a challenge that it will refuse */
    bool closing;                 /* 235 has come, and the mechanism verifies what it contains */
    enum smtp_error cancelled;    /* what cancelled the exchange, or NONE */
    struct smtp_text answer;      /* an answer from outside, borrowed for one call */
    bool has_answer;
    bool auth_before_tls;               /* AUTH was offered before TLS */
    uint16_t mech_code[SMTP_MECHS_MAX]; /* the reply that refused each mechanism, or MECH_OUT */
    size_t challenge_len;

    /* chunking.c */
    bool gathering;  /* a chunk is in the buffer, and its BDAT is not written yet */
    bool bdat_known; /* the server has accepted a chunk on this connection */
    bool on_trial;   /* the harmless chunk or the RSET after it is not answered yet */

    /* envelope.c */
    size_t rcpt_offer; /* the most recipients that the next transaction offers; 0: any number */

    /* message.c */
    bool in_line, after_cr; /* where in a line the message's text is, as it came in */
    struct smtp_header header;
    size_t body_line_len;

    /* hello.c */
    struct smtp_text argument; /* of VRFY */

    /* work.c */
    struct smtp_work *work; /* NULL: the session rests or is over, and the caller has it */
    bool facts_kept;        /* the texts of the facts are in `kept` */

    /* What follows is not zeroed at first, because that would cost more than a message. The lengths
     * above say what of it is valid. */
    struct smtp_text hidden[SMTP_HIDDEN_MAX];
    char kept[FACTS_KEPT_MAX]; /* texts of the facts, while the session has no working memory */
    char shown[SMTP_TRANSCRIPT_MAX];
};

/* What a session needs only while something is under way. It is not zeroed either. Mostly only the
 * beginnings are used; the system gives no memory for the rest. */
struct smtp_work {
    struct smtp_run runs[SMTP_RUNS_MAX];
    struct smtp_answer ehlo_reply; /* where facts.ehlo_reply points */
    char mechs[SMTP_MECHANISMS_MAX], mechs_before[SMTP_MECHANISMS_MAX];
    char hello[SMTP_HELLO_MAX], text[SMTP_KEPT_MAX];
    char challenge[SMTP_CHALLENGE_MAX], line[SMTP_LINE_MAX];
    char out[];
};

/* The index in the ring of run number `i`, from the oldest one. */
static inline size_t run_index(const struct smtp_session *s, size_t i)
{
    return (s->run_first + i) % SMTP_RUNS_MAX;
}
/* There are an oldest and a newest run where run_count is not 0. */
static inline const struct smtp_run *oldest_run(const struct smtp_session *s)
{
    return &s->work->runs[s->run_first];
}
static inline const struct smtp_run *newest_run(const struct smtp_session *s)
{
    return &s->work->runs[run_index(s, s->run_count - 1)];
}

/* turn.c */

enum smtp_step_turn { TURN_MUTE, TURN_WAIT, TURN_FLOW, TURN_HEAD };
enum smtp_step_patience { PATIENCE_REPLY, PATIENCE_BRIEF, PATIENCE_PARTING, PATIENCE_WHOLE };

struct smtp_step_row {
    enum smtp_step_turn turn;
    const char *stage;
    enum smtp_step_patience patience;
    step (*say)(struct smtp_session *);
    step (*hear)(struct smtp_session *, const struct smtp_reply *);
    const char *words;
    step then;
};
extern const struct smtp_step_row step_rows[];

/* The step that the server has to answer, or what comes next where it has none to answer. A message
 * whose end has not left yet is still being sent. */
step current_step(const struct smtp_session *s);
/* Is this the end of a message? */
bool is_end(step said);
/* May the next command be said now? */
bool may_speak(const struct smtp_session *s);
/* May anything be said after the end of a message whose answer is due? */
bool may_go_past(const struct smtp_session *s);
/* May a further transaction begin there? */
bool may_begin_past(const struct smtp_session *s);
/* Has the server refused so many messages that it may end the connection? */
bool is_worn(const struct smtp_session *s);
/* May a chunk go ahead of answers, once the server has shown that it consumes chunks? */
bool may_chunks_flow(const struct smtp_session *s);

/* session.c: a copy of `text` in `out`, cut to the room there. */
struct smtp_text keep_text(char *out, size_t out_max, struct smtp_text text);
/* Is nothing due, nothing unsent, and no reply there in part? */
bool session_is_quiet(const struct smtp_session *s);

/* dialogue.c */
void dialogue_go_on(struct smtp_session *s);
step dialogue_rest(struct smtp_session *s);
void dialogue_hear(struct smtp_session *s, const struct smtp_reply *r);
bool dialogue_over(const struct smtp_session *s);

/* outcome.c */
step give_up(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r);
step drop(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r);
void part(struct smtp_session *s, const struct smtp_transaction *next, enum smtp_error error,
          const struct smtp_reply *r);
void refuse(struct smtp_session *s, struct smtp_transaction *m, enum smtp_error error,
            const struct smtp_reply *r);
void set_trouble(struct smtp_session *s, struct smtp_trouble *trouble, enum smtp_error error,
                 const struct smtp_reply *r);
void break_transaction(struct smtp_session *s, struct smtp_transaction *m);

/* wire.c */
static inline size_t wire_room(const struct smtp_session *s)
{
    return s->lent.len > 0 ? 0 : s->out_max - s->out_len;
}
/* So many octets are worth a write of their own, which costs more than to copy a few. */
static inline size_t lent_min(const struct smtp_session *s)
{
    return s->out_max / 4;
}
/* Says octets that stay where they are, at least lent_min. Returns their number. */
size_t lend(struct smtp_session *s, const char *data, size_t len);
/* Returns how much there was room for. A command always has room: dialogue.c asks for it first, and
 * AUTH has the whole buffer. */
static inline size_t put(struct smtp_session *s, const char *data, size_t len)
{
    if (len > wire_room(s)) len = wire_room(s);
    memcpy(s->out + s->out_len, data, len);
    s->out_len += len;
    s->said_len += len;
    return len;
}
/* What was written from `at` on is not said after all. */
static inline void take_back(struct smtp_session *s, size_t at)
{
    s->said_len -= s->out_len - at;
    s->out_len = at;
}
/* Removes what has not left, and wipes it if a secret is in it. */
void wire_wipe(struct smtp_session *s);
/* Inline, so that the length of a literal is known. */
static inline void put_words(struct smtp_session *s, const char *words)
{
    put(s, words, strlen(words));
}
void put_number(struct smtp_session *s, uint64_t number);
void put_base64(struct smtp_session *s, const char *data, size_t len);

/* transcript.c */
void transcript_said(struct smtp_session *s, size_t len);
void transcript_heard(struct smtp_session *s, const char *data, size_t len);
void transcript_note(struct smtp_session *s, const char *words);

/* reply.c */
void reply_line(struct smtp_session *s, const char *line, size_t line_len);
bool reply_cut(struct smtp_session *s, struct smtp_reply *r);
size_t copy_words(char *out, size_t max, const struct smtp_reply *r);
void answer_take(struct smtp_answer *answer, const struct smtp_reply *r);
struct smtp_reply answer_reply(const struct smtp_answer *answer);
bool reply_has_status(const struct smtp_reply *r);
bool reply_is_about(const struct smtp_reply *r, unsigned subject, unsigned detail);
bool reply_says_size(const struct smtp_reply *r);
static inline unsigned reply_class(const struct smtp_reply *r)
{
    return r->code / 100u;
}
static inline bool reply_is(const struct smtp_reply *r, unsigned cls, unsigned subject,
                            unsigned detail)
{
    return r->enhanced[0] == cls && r->enhanced[1] == subject && r->enhanced[2] == detail;
}

static inline bool has_tls(const struct smtp_session *s)
{
    return s->facts.tls == SMTP_TLS_ON;
}

/* extensions.c */
void extensions_forget(struct smtp_session *s);
void extensions_read(struct smtp_session *s, const struct smtp_reply *r);
/* Is the mechanism, in upper case, in the list of the newest EHLO? */
bool offers_mechanism(const struct smtp_session *s, struct smtp_text name);
enum smtp_error extensions_missing(const struct smtp_session *s, unsigned wanted);
/* Heard in the newest EHLO, and not to be skipped. */
static inline bool offers(const struct smtp_session *s, unsigned ext)
{
    return (s->ext & ~s->opt.ext_skip & ext) == ext;
}

/* starttls.c */
step starttls_begin(struct smtp_session *s);

/* auth.c */
step auth_begin(struct smtp_session *s);
/* Returns the step of the next mechanism, or what follows where none is left. `r` refused the one
 * before. */
step auth_next(struct smtp_session *s, const struct smtp_reply *r);
step auth_unavailable(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r);
/* The mechanism in use, NULL where it is answered from outside. */
const struct smtp_mechanism *auth_inside(const struct smtp_session *s);

/* exchange.c */
void exchange_reset(struct smtp_session *s);
bool auth_needs_answer(const struct smtp_session *s);

/* required.c */
enum smtp_error required_first(const struct smtp_session *s, const struct smtp_reply *r,
                               bool of_message);

/* A mechanism that is answered here writes answer number `turn` with put_base64. */
struct smtp_mechanism {
    const char *name;
    enum smtp_secret secret;
    bool initial;     /* the first answer may ride on the AUTH command (RFC 4954 4) */
    unsigned enough;  /* answers after which 235 may come */
    unsigned answers; /* how many it has; one beyond `enough` is for an error challenge */
    void (*answer)(struct smtp_session *s, unsigned turn);
};
/* These append to a message of a mechanism, whose buffer has room for it. */
void append(char *message, size_t *len, struct smtp_text text);
void append_words(char *message, size_t *len, const char *words);
/* Says the message with the token at its end, and wipes it. */
void put_bearer(struct smtp_session *s, char *message, size_t len);
extern const struct smtp_mechanism smtp_plain, smtp_login, smtp_external, smtp_xoauth2,
    smtp_oauthbearer;

/* envelope.c */
bool envelope_allowed(struct smtp_session *s, struct smtp_transaction *m);
bool is_overfilled(const struct smtp_session *s, const struct smtp_transaction *m);
void recipient_judged(struct smtp_transaction *m, struct smtp_recipient *to,
                      const struct smtp_reply *r);
void refusal_weigh(struct smtp_transaction *m, unsigned first, bool demands,
                   const struct smtp_reply *r);

/* message.c */
step message_begin(const struct smtp_session *s, const struct smtp_transaction *m);
/* The server ends the conversation instead of taking the message. */
void message_deferred(struct smtp_session *s, const struct smtp_reply *r);
step message_judged(struct smtp_session *s, const struct smtp_reply *r);
enum smtp_error message_error(const struct smtp_session *s, const struct smtp_reply *r);
void body_begin(struct smtp_session *s);
size_t body_take(struct smtp_session *s, const char *data, size_t len);
void body_end(struct smtp_session *s);

/* chunking.c */
bool chunk_wants_body(const struct smtp_session *s);
bool chunk_open(struct smtp_session *s);
bool chunk_is_over(const struct smtp_session *s);
void chunk_close(struct smtp_session *s, step end);
/* Is the harmless chunk to be said before the next transaction? */
bool trial_is_due(const struct smtp_session *s);
size_t chunk_hidden_len(const struct smtp_session *s);

/* What the steps say and hear: see SMTP_STEPS. */
step say_words(struct smtp_session *s);
step hear_asked(struct smtp_session *s, const struct smtp_reply *r);
#define X(name, ...)                                                                               \
    step say_##name(struct smtp_session *s);                                                       \
    step hear_##name(struct smtp_session *s, const struct smtp_reply *r);
SMTP_STEPS(X)
#undef X

#pragma GCC visibility pop

#endif
