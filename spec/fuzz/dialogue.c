/* dialogue.c - a fuzzer for transactions: any server, any cut, any pace.
 *
 * The input: two bytes of options, a byte for the window and one for flight_max, one that says how
 * many mails there are and two for each; then bytes that say what happens next. Where they end, all
 * goes well, or the connection is cut.
 *
 * Beside the session runs a model that knows of the protocol only what its RFCs say: it reads what
 * is offered to be sent, octet by octet, and what the server answers. What must hold, besides what
 * the sanitizers see:
 *   - each line is a command that may be said then; chunks hold the octets that they tell; messages
 *     arrive as they were given, whole or not at all;
 *   - what was offered stays;
 *   - where ends are held back, none leaves that was not allowed to, refused or not; but a lone dot
 *     ends no message;
 *   - each mail is over once, and nobody looks at it, at its text or at its strings afterwards;
 *   - accepted is who was accepted in a reply to a message that had left; unsent is nobody whose
 *     message had left without an answer;
 *   - a session that is not over wants something, and waits for no reply that is not due.
 */
#include "../../csrc/smtp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer is to look at the session; its looking at the model would take most of the time. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define CHECK(holds) ((holds) ? (void)0 : broken(__LINE__, #holds))

static void broken(int line, const char *rule)
{
    fprintf(stderr, "dialogue.c:%d: this does not hold: %s\n", line, rule);
    abort();
}

enum {
    HAS_PIPELINING = 0x01,
    HAS_CHUNKING = 0x02,
    HAS_LIMITS = 0x04, /* three recipients in each transaction */
    IS_LMTP = 0x08,
    IS_EAGER = 0x10,
    ALL_AT_ONCE = 0x20, /* the mails are added before the greeting */
    QUITS = 0x40,       /* … and the wish to quit behind them */
    CUT_AT_END = 0x80   /* where the input ends, the connection does */
};

enum kind { IN_HAND, IN_HAND_READY, EXACT, UNKNOWN, KIND_COUNT };

enum { MAILS_MAX = 6, TO_MAX = 200, STREAM_MAX = 1 << 20, DUE_MAX = 2048, STEPS_MAX = 60000 };

enum what { GREETING, EHLO, TRIAL, MAIL, RCPT, DATA, CHUNK, LAST, DOT, RSET, NOOP, QUIT };

/* A command, or the end of a message, that waits for `count` replies. */
struct due {
    enum what what;
    size_t mail, to, count;
    uint64_t end; /* in the stream */
};

struct item {
    /* what is sent */
    enum kind kind;
    bool all, declared_wrong;
    size_t to_count, source_len, wire_len;
    char *source, *wire;
    struct smtp_transaction *mail; /* NULL once it is over */
    struct smtp_recipient *to;
    size_t fed;
    /* what was said and answered */
    uint64_t end_at; /* 0: nowhere yet */
    unsigned mail_code, data_code, rcpt_code[TO_MAX], final_code[TO_MAX];
    size_t rcpt_said, rcpt_heard, judged, got_len;
    bool followed; /* begun behind the end of another, before the answer */
    bool added, over, refused, ended;
    bool end_ahead; /* its end will be allowed, whatever the answers to RCPT are */
    bool allowed;   /* to end */
    bool forgotten; /* the server ended the conversation before it took this one */
};

struct talk {
    const uint8_t *data;
    size_t len, at;
    unsigned flags;
    struct smtp_session *session;
    struct item items[MAILS_MAX];
    size_t item_count, added_count, window, flight_max;
    bool quit_asked, noop_asked, was_cut;
    bool holds; /* the ends of messages back */
    bool ahead; /* chunks may go ahead, once the server has consumed the harmless one: */
    bool trial_said, in_trial, on_trial, consumes;
    bool parting; /* the server said goodbye or refused RSET, and ends had left: */
    bool is_goodbye;

    /* the client's stream: offered up to `said`, sent up to `sent` */
    uint64_t said, sent;
    enum { COMMAND, OCTETS, WAITS, TEXT, SILENT } state;
    char line[2048];
    size_t line_len, left;
    bool chunk_is_last, text_dot, text_cr, text_start;
    size_t spoken; /* index of the newest MAIL */
    bool open, renewed, bdat_known, pipelining;
    bool proved; /* the server accepted a message that had followed another's end */
    size_t refused_max, refused_count;

    struct due due[DUE_MAX];
    size_t due_first, due_count, replies_due;

    /* the server's reply on its way */
    char reply[1024];
    size_t reply_len, reply_at;
    unsigned reply_code;
    bool reply_early, is_junk, is_surplus;
};

static char stream[STREAM_MAX];
static bool is_octet[STREAM_MAX];  /* of a message */
static bool is_hidden[STREAM_MAX]; /* of the harmless chunk */

static unsigned next(struct talk *t)
{
    return t->at < t->len ? t->data[t->at++] : 0;
}

/* ---- messages ---- */

/* Lines of many lengths, with whatever line ends the kind allows. */
static void write_message(struct item *m, size_t len, unsigned seed)
{
    static const char *const ends[] = {"\r\n", "\n", "\r", "\r\n"};
    bool ready = m->kind == IN_HAND_READY;
    size_t width = 1 + seed % 90, in_line = 0;
    m->source = malloc(len + 2);
    m->wire = malloc(2 * len + 4);
    CHECK(m->source != NULL && m->wire != NULL);
    for (size_t i = 0; m->source_len < len || (ready && in_line > 0); i++) {
        bool end = in_line == width || (m->source_len + 1 >= len && ready);
        if (!end) {
            char c = (char)(in_line == 0 && !ready && i % 3 != 0 ? '.' : 'a' + i % 26);
            m->source[m->source_len++] = m->wire[m->wire_len++] = c;
            in_line++;
            continue;
        }
        const char *with = ready ? "\r\n" : ends[(seed / 8 + i) % 4];
        /* A CR and a LF by themselves would be taken for one line end. */
        if (with[0] == '\n' && m->source_len > 0 && m->source[m->source_len - 1] == '\r')
            with = "\r";
        for (size_t j = 0; with[j] != '\0'; j++)
            m->source[m->source_len++] = with[j];
        memcpy(m->wire + m->wire_len, "\r\n", 2);
        m->wire_len += 2;
        in_line = 0;
        if (ready && m->source_len >= len) break;
        width = 1 + (width * 7 + seed) % 90;
    }
    if (in_line > 0) {
        memcpy(m->wire + m->wire_len, "\r\n", 2);
        m->wire_len += 2;
    }
    /* In a block of its own size, so that one octet of over-read is seen. */
    char *exact = malloc(m->source_len);
    CHECK(exact != NULL || m->source_len == 0);
    if (m->source_len > 0) memcpy(exact, m->source, m->source_len);
    free(m->source);
    m->source = exact;
}

static size_t message_len(unsigned choice, unsigned more)
{
    static const size_t lens[] = {0, 1, 2, 20, 200, 300, 2000, 32500};
    size_t len = lens[choice % 8];
    if (len > 10000 && more % 2 != 0) len = 1000;
    return len + (choice % 8 >= 3 ? more : 0);
}

static struct smtp_text text_of(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return (struct smtp_text){at, len};
}

/* One block holds the mail, its recipients and their addresses; it is freed when it is over. */
static void make_mail(struct talk *t, size_t index, unsigned how, unsigned more)
{
    static const size_t counts[] = {1, 2, 5, TO_MAX};
    struct item *m = &t->items[index];
    char address[256];
    *m = (struct item){.kind = (enum kind)(how % KIND_COUNT), .all = (how & 0x40) != 0};
    m->to_count = counts[(how >> 2) % 4];
    if (m->to_count == TO_MAX && more % 8 != 0) m->to_count = 3; /* it takes its time */
    m->declared_wrong = (how & 0x80) != 0 && m->kind == EXACT;
    m->end_ahead = t->holds && (more & 2) != 0;
    write_message(m, message_len(how >> 4, more), more);
    if (m->source_len < 2) m->declared_wrong = false;
    size_t texts_max = 512 + 8 * m->to_count;
    m->mail = malloc(sizeof *m->mail + (m->to_count + 1) * (sizeof *m->to + 256) + texts_max);
    CHECK(m->mail != NULL);
    memset(m->mail, 0, sizeof *m->mail + m->to_count * sizeof *m->to);
    m->to = (struct smtp_recipient *)(m->mail + 1);
    char *at = (char *)(m->to + m->to_count);
    m->mail->to = m->to;
    m->mail->to_count = m->to_count;
    m->mail->texts = at + (m->to_count + 1) * 256;
    m->mail->texts_max = texts_max;
    snprintf(address, sizeof address, "m%zu@x", index);
    m->mail->from = text_of(at, address);
    for (size_t i = 0; i < m->to_count; i++) {
        at += 256;
        snprintf(address, sizeof address, "%0*zu@x", m->to_count > 5 ? 200 : 3, i);
        m->to[i].address = text_of(at, address);
    }
    bool known = m->kind != UNKNOWN;
    size_t wrong = m->declared_wrong ? (more % 2 == 0 ? 1 : SIZE_MAX) : 0;
    m->mail->all = m->all;
    m->mail->exact = known;
    m->mail->size = known ? m->wire_len + wrong : SMTP_LEN_UNKNOWN;
    bool told = known && (!m->declared_wrong || more % 4 < 2);
    m->mail->source_len = told ? m->source_len + wrong : SMTP_LEN_UNKNOWN;
    m->mail->ready = m->kind == IN_HAND_READY;
    if (m->kind <= IN_HAND_READY) m->mail->text = (struct smtp_text){m->source, m->source_len};
}

/* ---- what the client may say ---- */

static struct due *due_at(struct talk *t, size_t i)
{
    return &t->due[(t->due_first + i) % DUE_MAX];
}

static bool is_due(struct talk *t, enum what what)
{
    for (size_t i = 0; i < t->due_count; i++)
        if (due_at(t, i)->what == what) return true;
    return false;
}

static bool is_end_due(struct talk *t)
{
    return is_due(t, LAST) || is_due(t, DOT);
}

static void await(struct talk *t, enum what what, size_t to, size_t count)
{
    CHECK(t->due_count < DUE_MAX);
    *due_at(t, t->due_count++) = (struct due){what, t->spoken, to, count, t->said};
    t->replies_due += count;
}

static bool is_lmtp(const struct talk *t)
{
    return (t->flags & IS_LMTP) != 0;
}

static size_t accepted_count(const struct item *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->to_count; i++)
        count += m->rcpt_code[i] / 100 == 2;
    return count;
}

static bool is_refused(const struct item *m)
{
    if (m->mail_code >= 400 || m->data_code >= 400 || m->refused) return true;
    bool all_heard = m->rcpt_said > 0 && m->rcpt_heard == m->rcpt_said &&
                     (m->rcpt_said == m->to_count || m->ended);
    return all_heard && accepted_count(m) == 0;
}

/* May anything be said behind what is due? */
static void check_turn(struct talk *t, enum what what)
{
    bool eager = (t->flags & IS_EAGER) && !is_lmtp(t);
    bool ahead = is_end_due(t);
    if (t->due_count == 0) return;
    enum what newest = due_at(t, t->due_count - 1)->what;
    CHECK(t->pipelining);
    CHECK(!is_due(t, GREETING) && !is_due(t, EHLO) && !is_due(t, DATA) && !is_due(t, NOOP) &&
          !is_due(t, QUIT));
    CHECK(t->window == 0 || t->replies_due < t->window);
    if (newest == LAST || newest == DOT) CHECK(eager && (what == RSET || what == QUIT));
    if (ahead) CHECK(eager);
    if (what == DATA && ahead) CHECK(t->proved);
    if (newest == RSET) CHECK(eager && what == MAIL);
    if (newest == TRIAL) CHECK(what == RSET);
    if (what == QUIT) CHECK(newest == LAST || newest == DOT);
    if (what == NOOP || what == EHLO) CHECK(false);
    struct item *m = &t->items[t->spoken];
    if (what == CHUNK) { /* its octets might be run as commands */
        CHECK(eager && t->ahead && t->consumes && newest == RCPT);
        CHECK(!t->holds || m->end_ahead);
        CHECK(m->kind <= IN_HAND_READY);
        if (ahead) CHECK(t->proved);
    }
    if ((what == CHUNK || what == DATA) && m->all && m->to_count > 1) CHECK(newest != RCPT);
}

static bool starts(const struct talk *t, const char *word)
{
    size_t len = strlen(word);
    return t->line_len >= len && memcmp(t->line, word, len) == 0;
}

static size_t flight(const struct talk *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->item_count; i++)
        count += t->items[i].rcpt_said > 0 && !t->items[i].over && !t->items[i].mail->over;
    return count;
}

static void say_mail(struct talk *t)
{
    size_t index = (size_t)(t->line[12] - '0');
    struct item *m = &t->items[index];
    CHECK(starts(t, "MAIL FROM:<m") && index < t->item_count && m->added && !m->over);
    CHECK(m->rcpt_said == 0 && m->mail_code == 0);
    CHECK(memcmp(t->line + 13, "@x>", 3) == 0);
    CHECK(t->renewed || !t->open);
    CHECK(t->refused_max == 0 || t->refused_count < t->refused_max);
    CHECK(flight(t) < (t->flight_max > 0 ? t->flight_max : 1));
    m->followed = t->due_count > 0 && is_end_due(t);
    t->spoken = index;
    t->open = true;
    await(t, MAIL, 0, 1);
}

static void say_rcpt(struct talk *t)
{
    struct item *m = &t->items[t->spoken];
    char wanted[300];
    CHECK(t->open && !m->over && m->rcpt_said < m->to_count);
    CHECK(m->mail_code < 400);
    int len = snprintf(wanted, sizeof wanted, "RCPT TO:<%.*s>",
                       (int)m->to[m->rcpt_said].address.len, m->to[m->rcpt_said].address.data);
    CHECK(t->line_len == (size_t)len && memcmp(t->line, wanted, t->line_len) == 0);
    if (t->flags & HAS_LIMITS) CHECK(m->rcpt_said < 3);
    CHECK(m->rcpt_said - m->rcpt_heard < SMTP_RCPT_FLIGHT_MAX);
    await(t, RCPT, m->rcpt_said++, 1);
}

static void end_message(struct talk *t, enum what what)
{
    struct item *m = &t->items[t->spoken];
    m->ended = true;
    m->end_at = t->said;
    bool lone = what == DOT && m->got_len == 0 && is_refused(m);
    CHECK(!t->holds || lone || m->allowed);
    if (m->declared_wrong) CHECK(lone || (what == DOT && m->mail->source_len == SMTP_LEN_UNKNOWN));
    CHECK(lone || m->got_len == m->wire_len);
    size_t count = is_lmtp(t) ? accepted_count(m) : 1;
    if (count > 0) await(t, what, 0, count);
    if (what == DOT) t->open = false;
}

/* Outside a transaction, where nothing is due, and once. */
static bool say_trial(struct talk *t)
{
    if (t->line_len != 6 || memcmp(t->line, "BDAT 6", 6) != 0) return false;
    CHECK(t->ahead && !t->trial_said && t->pipelining && t->due_count == 0);
    CHECK((t->flags & HAS_CHUNKING) && (t->flags & IS_EAGER) && !is_lmtp(t) && !t->open);
    t->trial_said = t->in_trial = t->on_trial = true;
    t->left = 6;
    t->state = OCTETS;
    return true;
}

static void say_bdat(struct talk *t)
{
    struct item *m = &t->items[t->spoken];
    char wanted[64];
    unsigned long len = strtoul(t->line + 5, NULL, 10);
    t->chunk_is_last = t->line_len > 5 && memcmp(t->line + t->line_len - 5, " LAST", 5) == 0;
    int wanted_len =
        snprintf(wanted, sizeof wanted, "BDAT %lu%s", len, t->chunk_is_last ? " LAST" : "");
    CHECK(t->line_len == (size_t)wanted_len && memcmp(t->line, wanted, t->line_len) == 0);
    CHECK((t->flags & HAS_CHUNKING) && t->open && !m->over && !m->ended && !is_refused(m));
    CHECK(m->rcpt_said > 0 && (len > 0 || (m->kind == UNKNOWN && m->wire_len == 0)));
    if (m->kind != UNKNOWN) CHECK(t->chunk_is_last && len == m->mail->size && m->got_len == 0);
    t->left = len;
    t->state = OCTETS;
    if (len == 0) end_message(t, LAST);
    if (len == 0) t->state = COMMAND;
}

static void say_command(struct talk *t)
{
    static const struct {
        const char *word;
        enum what what;
    } words[] = {
        {"MAIL FROM:<", MAIL},    {"RCPT TO:<", RCPT}, {"BDAT ", CHUNK}, {"DATA", DATA},
        {"RSET", RSET},           {"NOOP", NOOP},      {"QUIT", QUIT},   {"EHLO me.example", EHLO},
        {"LHLO me.example", EHLO}};
    size_t i = 0;
    while (i < sizeof words / sizeof *words && !starts(t, words[i].word))
        i++;
    CHECK(i < sizeof words / sizeof *words);
    enum what what = words[i].what;
    if (what == CHUNK && say_trial(t)) return;
    if (what != MAIL && what != RCPT && what != CHUNK) CHECK(t->line_len == strlen(words[i].word));
    check_turn(t, what);
    struct item *m = &t->items[t->spoken];
    switch (what) {
    case MAIL: say_mail(t); break;
    case RCPT: say_rcpt(t); break;
    case CHUNK: say_bdat(t); break;
    case DATA:
        CHECK(t->open && m->rcpt_said > 0 && !m->ended && !is_refused(m));
        if (t->flags & HAS_CHUNKING) CHECK(m->mail->size == 0);
        t->state = WAITS;
        await(t, what, 0, 1);
        break;
    case EHLO:
        CHECK(t->line[0] == (is_lmtp(t) ? 'L' : 'E'));
        await(t, what, 0, 1);
        break;
    case QUIT: t->state = SILENT; /* fall through */
    case RSET:
    case NOOP: await(t, what, 0, 1); break;
    case GREETING:
    case TRIAL:
    case LAST:
    case DOT: CHECK(false);
    }
    t->renewed = what == RSET;
    if (what == RSET) t->open = false;
}

static void take_octet(struct talk *t, char c)
{
    struct item *m = &t->items[t->spoken];
    CHECK(m->got_len < m->wire_len && m->wire[m->got_len] == c);
    m->got_len++;
}

static void hear_trial(struct talk *t, char c)
{
    CHECK(c == "QUIT\r\n"[6 - t->left]);
    is_hidden[t->said - 1] = true;
    if (--t->left > 0) return;
    t->in_trial = false;
    t->state = COMMAND;
    await(t, TRIAL, 0, 1);
}

static void hear_octets(struct talk *t, char c)
{
    if (t->in_trial) {
        hear_trial(t, c);
        return;
    }
    if (t->left == 1 && t->chunk_is_last) CHECK(!t->items[t->spoken].declared_wrong);
    take_octet(t, c);
    if (--t->left > 0) return;
    t->state = COMMAND;
    if (t->chunk_is_last)
        end_message(t, LAST);
    else
        await(t, CHUNK, 0, 1);
}

/* Text ends with a dot alone on a line (RFC 5321 4.5.2). */
static void hear_text(struct talk *t, char c)
{
    if (t->text_dot && c == '\r' && t->text_start) {
        t->text_cr = true;
        return;
    }
    if (t->text_dot && t->text_cr && t->text_start) {
        CHECK(c == '\n');
        is_octet[t->said - 1] = is_octet[t->said - 2] = is_octet[t->said - 3] = false;
        t->state = COMMAND;
        end_message(t, DOT);
        return;
    }
    if (t->text_start && !t->text_dot && c == '.') {
        t->text_dot = true;
        return;
    }
    if (t->text_start && t->text_dot) CHECK(c == '.');
    t->text_dot = false;
    t->text_start = c == '\n';
    if (c == '\n') CHECK(t->text_cr);
    if (t->text_cr) CHECK(c == '\n');
    t->text_cr = c == '\r';
    take_octet(t, c);
}

static void hear_command(struct talk *t, char c)
{
    CHECK(t->line_len < sizeof t->line);
    bool cr = t->line_len > 0 && t->line[t->line_len - 1] == '\r';
    CHECK(c != '\0' && (c == '\n') == cr);
    t->line[t->line_len++] = c;
    if (c != '\n') return;
    t->line_len -= 2;
    say_command(t);
    t->line_len = 0;
}

/* One octet more is offered. */
static void hear_octet(struct talk *t, char c)
{
    CHECK(t->said < STREAM_MAX);
    stream[t->said] = c;
    is_octet[t->said] = t->state == OCTETS || t->state == TEXT;
    is_hidden[t->said] = false;
    t->said++;
    switch (t->state) {
    case COMMAND: hear_command(t, c); break;
    case OCTETS: hear_octets(t, c); break;
    case TEXT: hear_text(t, c); break;
    case WAITS:
    case SILENT: CHECK(false);
    }
}

static bool is_over(const struct talk *t)
{
    return (smtp_wants(t->session) & SMTP_WANT_NOTHING) != 0;
}

/* What is offered goes on where it was, and was not changed. */
static void look(struct talk *t)
{
    if (is_over(t)) return;
    struct smtp_text out = smtp_send_buf(t->session);
    CHECK(t->sent + out.len >= t->said);
    size_t known = (size_t)(t->said - t->sent);
    if (known < 256 || t->sent % 64 == 0)
        CHECK(out.len == 0 || memcmp(stream + t->sent, out.data, known) == 0);
    while (t->said < t->sent + out.len)
        hear_octet(t, out.data[t->said - t->sent]);
}

/* ---- what the transcript shows ---- */

static struct {
    char text[2 * STREAM_MAX];
    size_t len, line_len;
    bool cr;         /* the newest octet is one */
    uint64_t octets; /* of a message, not yet told */
    uint64_t
        ahead; /* where our newest command ends, which is shown whole once it begins to leave */
    char side; /* whose line is open; 0: nobody's */
} shown;

static void show(const char *data, size_t len)
{
    if (shown.len + len > sizeof shown.text) return;
    memcpy(shown.text + shown.len, data, len);
    shown.len += len;
}

static void show_octets(void)
{
    char line[64];
    int len = snprintf(line, sizeof line, "C: (%" PRIu64 " bytes of the message)\n", shown.octets);
    if (shown.octets > 0) show(line, (size_t)len);
    shown.octets = 0;
}

static void show_octet(char side, char c)
{
    const char head[] = {side, ':', ' '};
    if (shown.side != side) {
        if (shown.side != 0) show("\n", 1);
        show_octets();
        show(head, sizeof head);
        shown.line_len = 0;
    }
    shown.side = c == '\n' ? 0 : side;
    if (c == '\n' && shown.line_len > (shown.cr ? 1025 : 1024)) show(" [cut]", 6);
    shown.cr = c == '\r';
    if (c != '\r' && (c == '\n' || shown.line_len < 1024)) show(&c, 1);
    shown.line_len++;
}

static void show_command(uint64_t at)
{
    do
        show_octet('C', stream[at]);
    while (stream[at++] != '\n');
    shown.ahead = at;
}

/* The session keeps the newest, but whole lines only, and CR as well as what is seen. */
static void check_transcript(const struct talk *t)
{
    static char kept[SMTP_TRANSCRIPT_MAX + 64];
    bool open;
    size_t len = smtp_transcript(t->session, kept, &open);
    if (shown.side != 0) show("\n", 1);
    show_octets();
    CHECK(len <= shown.len);
    CHECK(memcmp(kept, shown.text + shown.len - len, len) == 0);
    CHECK(len == shown.len || shown.text[shown.len - len - 1] == '\n');
    CHECK(len == shown.len || len > SMTP_TRANSCRIPT_MAX / 2);
}

/* ---- what the server answers ---- */

static void forget_ends(struct talk *t)
{
    for (size_t i = 0; i < t->item_count; i++)
        t->items[i].forgotten = t->items[i].judged == 0;
}

/* What follows does not leave any more. Mails that are over and were not said lie between. */
static void part(struct talk *t, size_t index)
{
    while (index < t->item_count && t->items[index].over && !t->items[index].ended)
        index++;
    CHECK(index < t->item_count);
    CHECK(t->items[index].ended && t->items[index].end_at <= t->sent);
    t->parting = true;
    t->said = t->sent;
    t->state = SILENT;
}

static void judge_reset(struct talk *t, const struct due *due, unsigned code)
{
    bool accepted = code / 100 == 2 && code != 221;
    if (t->on_trial) {
        t->consumes = accepted;
        CHECK(accepted || is_over(t));
    } else if (!accepted && !is_over(t)) {
        part(t, due->mail + 1);
    }
    t->on_trial = false;
}

static void judge(struct talk *t, struct due *due, unsigned code)
{
    struct item *m = &t->items[due->mail];
    switch (due->what) {
    case MAIL: m->mail_code = code; break;
    case RCPT:
        m->rcpt_code[due->to] = code;
        m->rcpt_heard++;
        break;
    case DATA:
        m->data_code = code;
        t->state = code / 100 == 3 ? TEXT : COMMAND;
        t->text_start = true;
        t->text_dot = t->text_cr = false;
        break;
    case CHUNK:
        if (code / 100 == 2) t->bdat_known = true;
        if (code >= 400) m->refused = true;
        break;
    case LAST:
        /* That BDAT is not known is no single recipient's verdict. */
        if ((code == 500 || code == 502) && !t->bdat_known && !t->consumes) m->refused = true;
        if (code / 100 == 2) t->bdat_known = true;
        if (code / 100 == 2 && due->mail == t->spoken) t->open = false;
        if (is_lmtp(t) && due->mail == t->spoken) t->open = false; /* some may have it */
        m->final_code[m->judged++] = code;
        break;
    case DOT: m->final_code[m->judged++] = code; break;
    case EHLO: t->pipelining = (t->flags & HAS_PIPELINING) != 0; break;
    case RSET: judge_reset(t, due, code); break;
    case TRIAL:
        if (code < 400) CHECK(is_over(t));
        break;
    case GREETING:
    case NOOP:
    case QUIT: break;
    }
}

static unsigned right_code(struct talk *t)
{
    if (t->due_count == 0) return 250;
    switch (due_at(t, 0)->what) {
    case GREETING: return 220;
    case TRIAL: return 503;
    case DATA: return 354;
    case QUIT: return 221;
    default: return 250;
    }
}

static unsigned choose_code(struct talk *t, unsigned choice)
{
    static const unsigned wrong[] = {450, 550, 452, 500, 502, 503, 421, 354, 250, 552};
    choice %= 32;
    if (choice < 20 || (t->due_count > 0 && due_at(t, 0)->what <= EHLO)) return right_code(t);
    if (t->on_trial && choice == 27) return 221; /* to the QUIT in the harmless chunk */
    return wrong[(choice - 20) % 10];
}

static void write_reply(struct talk *t, unsigned choice)
{
    bool hello = t->due_count > 0 && due_at(t, 0)->what == EHLO;
    t->reply_code = choose_code(t, choice);
    t->is_junk = choice % 32 == 30;
    t->is_surplus = choice % 32 == 31;
    const char *text = t->reply_code == 452 || t->reply_code == 552 ? "4.5.3 too many" : "ok";
    if (t->reply_code == 552) text = "5.5.3 too many";
    int len;
    if (t->is_junk)
        len = snprintf(t->reply, sizeof t->reply, "hello?\r\n");
    else if (hello)
        len = snprintf(t->reply, sizeof t->reply, "250-mx\r\n%s%s%s250 HELP\r\n",
                       t->flags & HAS_PIPELINING ? "250-PIPELINING\r\n" : "",
                       t->flags & HAS_CHUNKING ? "250-CHUNKING\r\n" : "",
                       t->flags & HAS_LIMITS ? "250-LIMITS RCPTMAX=3\r\n" : "");
    else if (choice & 0x40)
        len = snprintf(t->reply, sizeof t->reply, "%u-more\r\n%u %s\r\n", t->reply_code,
                       t->reply_code, text);
    else
        len = snprintf(t->reply, sizeof t->reply, "%u %s\r\n", t->reply_code, text);
    t->reply_len = (size_t)len;
    t->reply_at = 0;
}

/* A whole reply was heard. */
static void answered(struct talk *t)
{
    bool quitting = t->due_count > 0 && due_at(t, 0)->what == QUIT;
    if (t->is_junk || t->reply_early) {
        /* A refusal before the end had left is one all the same. */
        size_t mail = t->due_count > 0 ? due_at(t, 0)->mail : t->spoken;
        if (!t->is_junk && t->reply_code >= 400) t->items[mail].refused = true;
        CHECK(is_over(t));
        return;
    }
    struct due due = *due_at(t, 0);
    if (t->parting) { /* the server goes on */
        CHECK(is_over(t));
        return;
    }
    judge(t, &due, t->reply_code);
    bool is_end = due.what == LAST || due.what == DOT || due.what == RSET;
    t->is_goodbye = t->reply_code == 421;
    if (t->is_goodbye && !is_over(t) && !t->parting) part(t, due.mail + is_end);
    t->replies_due--;
    if (--due_at(t, 0)->count == 0) {
        t->due_first = (t->due_first + 1) % DUE_MAX;
        t->due_count--;
    }
    if (t->reply_code == 421 || quitting) CHECK(is_over(t) || t->parting);
}

static void hear_reply(struct talk *t, size_t max)
{
    if (t->reply_at == t->reply_len) write_reply(t, next(t));
    size_t len = t->reply_len - t->reply_at;
    if (len > max) len = max;
    if (t->reply_at == 0) t->reply_early = t->due_count == 0 || due_at(t, 0)->end > t->sent;
    char *piece = malloc(len);
    CHECK(piece != NULL);
    memcpy(piece, t->reply + t->reply_at, len);
    t->reply_at += len;
    for (size_t i = 0; i < len && !is_over(t); i++)
        show_octet('S', piece[i]);
    smtp_recv(t->session, piece, len);
    free(piece);
    if (t->reply_at == t->reply_len) answered(t);
}

static void cut(struct talk *t)
{
    t->was_cut = true;
    if (t->parting && t->reply_at == t->reply_len) forget_ends(t);
    smtp_recv(t->session, "", 0);
    CHECK(is_over(t));
}

/* ---- what became of a mail ---- */

/* Replies to the message are one recipient's each in LMTP, everybody's else. 0: none came. */
static unsigned verdict_code(const struct talk *t, const struct item *m, size_t to)
{
    size_t index = 0;
    if (is_lmtp(t))
        for (size_t i = 0; i < to; i++)
            index += m->rcpt_code[i] / 100 == 2;
    unsigned code = index < m->judged ? m->final_code[index] : 0;
    return code / 100 == 3 ? 0 : code; /* these mean nothing here */
}

static void check_recipient(const struct talk *t, const struct item *m, size_t i)
{
    enum smtp_verdict verdict = m->to[i].verdict;
    unsigned rcpt = m->rcpt_code[i], final = verdict_code(t, m, i);
    bool left = m->ended && m->end_at <= t->sent;
    bool possible = m->mail_code < 400 && !m->refused && m->data_code < 400 && i < m->rcpt_said &&
                    rcpt < 400 && m->got_len == m->wire_len && !is_refused(m);
    if (verdict == SMTP_ACCEPTED)
        CHECK(left && final / 100 == 2 && rcpt / 100 == 2 && m->mail_code / 100 == 2);
    bool contradicted = m->mail_code >= 400 && left;
    if (left && possible && final == 0)
        CHECK(verdict == (m->forgotten ? SMTP_UNSENT : SMTP_UNKNOWN));
    if (left && possible && final / 100 == 2 && m->mail_code / 100 == 2 && rcpt / 100 == 2)
        CHECK(verdict == SMTP_ACCEPTED);
    if (left && possible && final == 421 && m->mail_code / 100 == 2 && rcpt / 100 == 2)
        CHECK(verdict == SMTP_DEFERRED);
    if (verdict == SMTP_UNKNOWN) CHECK(left && (final == 0 || contradicted));
    if (m->to[i].again) CHECK(verdict != SMTP_ACCEPTED && rcpt >= 400);
}

static void check_over(struct talk *t, struct item *m)
{
    struct smtp_transaction *mail = m->mail;
    CHECK(mail->has_outcome && m->added);
    /* Of those that the session broke for, all but the first had only come behind it. */
    if (mail->bystander) CHECK(mail->trouble.error != SMTP_ERROR_NONE);
    for (size_t i = 0; mail->bystander && i < m->to_count; i++)
        CHECK(m->to[i].verdict == SMTP_UNSENT || m->to[i].verdict == SMTP_REFUSED ||
              m->to[i].verdict == SMTP_DEFERRED);
    if (mail->trouble.error != SMTP_ERROR_NONE && m->rcpt_said > 0) t->refused_count++;
    for (size_t i = 0; i < m->to_count; i++)
        check_recipient(t, m, i);
    CHECK(mail->texts_len <= mail->texts_max);
    m->over = true;
    m->mail = NULL;
    free(mail);
    free(m->source);
    m->source = NULL;
}

/* Was a message accepted that had followed another's end? */
static bool is_proof(const struct item *m)
{
    return !m->over && m->followed && m->mail->over && m->mail->trouble.error == SMTP_ERROR_NONE;
}

static void look_around(struct talk *t)
{
    for (size_t i = 0; i < t->item_count; i++)
        t->proved = t->proved || is_proof(&t->items[i]);
    look(t);
    for (size_t i = 0; i < t->item_count; i++)
        if (!t->items[i].over && t->items[i].mail->over) check_over(t, &t->items[i]);
}

/* ---- the driver ---- */

static void add_mail(struct talk *t)
{
    if (t->added_count == t->item_count) return;
    struct item *m = &t->items[t->added_count++];
    m->added = true;
    smtp_transaction_add(t->session, m->mail);
    if (m->end_ahead && !m->mail->over) smtp_end_ahead(t->session, m->mail);
}

static void quit(struct talk *t)
{
    t->quit_asked = true;
    smtp_quit(t->session);
}

static struct item *spoken_item(struct talk *t)
{
    const struct smtp_transaction *spoken = smtp_spoken(t->session);
    for (size_t i = 0; i < t->item_count; i++)
        if (!t->items[i].over && t->items[i].mail == spoken) return &t->items[i];
    broken(__LINE__, "a body is wanted of a mail that is there");
    return NULL;
}

static void feed(struct talk *t, size_t max)
{
    struct item *m = spoken_item(t);
    CHECK(m->kind == EXACT || m->kind == UNKNOWN);
    size_t len = m->source_len - m->fed;
    if (len == 0) {
        smtp_body_end(t->session);
        return;
    }
    if (len > max) len = max;
    char *piece = malloc(len);
    CHECK(piece != NULL);
    memcpy(piece, m->source + m->fed, len);
    size_t taken = smtp_body(t->session, piece, len);
    free(piece);
    CHECK(taken <= len);
    if (!is_over(t)) m->fed += taken;
}

static void acknowledge(struct talk *t, size_t max)
{
    size_t len = smtp_send_buf(t->session).len;
    if (len > max) len = max;
    for (size_t end = t->sent + len; t->sent < end; t->sent++)
        if (is_octet[t->sent])
            shown.octets += !is_hidden[t->sent];
        else if (t->sent >= shown.ahead)
            show_command(t->sent);
    smtp_send_ack(t->session, len);
}

static const size_t portions[] = {SIZE_MAX, 1, 7, 100, 1000, 20000, SIZE_MAX, 33};

/* READY, where the model has all answers: everybody has a verdict. */
static void check_rest(struct talk *t)
{
    CHECK(t->due_count == 0 && t->state == COMMAND && t->line_len == 0);
    for (size_t i = 0; i < t->added_count; i++)
        CHECK(t->items[i].over);
}

/* What the working memory contained at rest is never needed again. */
static void work_anew(struct talk *t)
{
    void *work = smtp_session_rest(t->session);
    if (work == NULL) return;
    CHECK(!smtp_session_works(t->session));
    look_around(t);
    memset(work, 0xA5, smtp_work_size(SMTP_BUFFER_LEN_MIN));
    smtp_session_work(t->session, work, SMTP_BUFFER_LEN_MIN);
}

/* Of a session that is over, the working memory is never needed again, whatever follows. */
static void rest_for_good(struct talk *t)
{
    void *work = smtp_session_rest(t->session);
    if (work == NULL) return;
    memset(work, 0xA5, smtp_work_size(SMTP_BUFFER_LEN_MIN));
    smtp_recv(t->session, "", 0);
    look_around(t);
    CHECK(smtp_wants(t->session) == SMTP_WANT_NOTHING && smtp_session_rest(t->session) == NULL);
}

static void rest(struct talk *t, unsigned choice)
{
    check_rest(t);
    work_anew(t);
    if (choice >= 0xF0 && !t->noop_asked) {
        t->noop_asked = true;
        smtp_ask(t->session, choice & 1 ? SMTP_ASK_NOOP : SMTP_ASK_RSET, (struct smtp_text){0});
    } else if (t->added_count < t->item_count)
        add_mail(t);
    else
        quit(t);
}

/* What may be done though something else is more urgent. */
static bool do_otherwise(struct talk *t, unsigned wants, unsigned choice)
{
    size_t portion = portions[(choice >> 3) % 8];
    switch (choice & 7) {
    case 0: hear_reply(t, portion); return true;
    case 1:
        if (wants & SMTP_WANT_SEND) acknowledge(t, portion);
        return (wants & SMTP_WANT_SEND) != 0;
    case 2: add_mail(t); return true;
    case 3:
        if ((choice & 0x38) == 0) quit(t);
        return true;
    case 4:
        if ((choice & 0x38) == 0) cut(t);
        return true;
    default: return false;
    }
}

/* The message is said but for its end, most of it is sent, and those recipients are told that were
 * accepted. Only a chunk that goes ahead may be refused by now. */
static void allow_end(struct talk *t, unsigned choice)
{
    const struct smtp_transaction *ending = smtp_ending(t->session);
    struct item *m = &t->items[t->spoken];
    CHECK(t->holds && ending != NULL && ending == m->mail && !m->allowed);
    CHECK(t->said <= t->sent + SMTP_HELD_LEN_MAX);
    CHECK(m->got_len + 1 >= m->wire_len);
    CHECK(m->end_ahead || (t->due_count == 0 && !is_refused(m)));
    for (size_t i = 0; i < m->to_count && !is_refused(m); i++)
        CHECK((m->to[i].verdict == SMTP_ACCEPTED) == (m->rcpt_code[i] / 100 == 2));
    if (choice % 8 == 7) {
        smtp_break(t->session, SMTP_ERROR_WITHHELD, NULL, 0);
        CHECK(is_over(t));
        return;
    }
    m->allowed = true;
    smtp_end_allow(t->session);
}

static void do_as_wanted(struct talk *t, unsigned wants, unsigned choice)
{
    size_t portion = portions[(choice >> 3) % 8];
    if (wants & SMTP_WANT_BODY)
        feed(t, portion);
    else if (wants & SMTP_WANT_SEND)
        acknowledge(t, portion);
    else if (wants & SMTP_WANT_END)
        allow_end(t, choice);
    else if (wants & SMTP_WANT_READY)
        rest(t, choice);
    else if (wants & SMTP_WANT_RECV) {
        CHECK(t->due_count > 0); /* nobody else will ever say a word */
        if (t->at >= t->len && (t->flags & CUT_AT_END))
            cut(t);
        else
            hear_reply(t, portion);
    } else
        broken(__LINE__, "what is wanted can be done");
}

static void drive(struct talk *t)
{
    for (unsigned steps = 0;; steps++) {
        look_around(t);
        unsigned wants = smtp_wants(t->session);
        CHECK(wants != 0 && steps < STEPS_MAX);
        if (wants & SMTP_WANT_NOTHING) {
            rest_for_good(t);
            return;
        }
        unsigned choice = next(t);
        if (choice >= 0x80 && do_otherwise(t, wants, choice)) continue;
        do_as_wanted(t, wants, choice);
    }
}

static void finish(struct talk *t)
{
    while (t->added_count < t->item_count)
        add_mail(t);
    look_around(t);
    check_transcript(t);
    for (size_t i = 0; i < t->item_count; i++) {
        CHECK(t->items[i].over);
        free(t->items[i].wire);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t windows[] = {0, 3, 200, 1};
    static struct talk t;
    static void *memory, *work;
    if (size < 8) return 0;
    memset(&t, 0, sizeof t);
    shown.len = shown.octets = shown.ahead = 0;
    shown.side = 0;
    t.data = data;
    t.len = size;
    t.flags = next(&t);
    unsigned window = next(&t);
    t.window = windows[window % 4];
    t.holds = window & 4;
    t.ahead = window & 8;
    t.flight_max = next(&t) % (SMTP_FLIGHT_MAX + 1);
    t.proved = t.flight_max % 2 == 1; /* the grade that the session is given, too */
    t.refused_max = t.flight_max % 5;
    t.item_count = 1 + next(&t) % MAILS_MAX;
    for (size_t i = 0; i < t.item_count; i++) {
        unsigned how = next(&t);
        make_mail(&t, i, how, next(&t));
    }
    if (memory == NULL) memory = malloc(smtp_session_size());
    if (work == NULL) work = malloc(smtp_work_size(SMTP_BUFFER_LEN_MIN));
    CHECK(memory != NULL && work != NULL);
    const struct smtp_options o = {
        .domain = {"me.example", 10},
        .lmtp = is_lmtp(&t),
        .hold_ends = t.holds,
        .chunks_ahead = t.ahead,
        .grade = (enum smtp_grade)((t.flags & IS_EAGER) ? 1 + t.flight_max % 2 : 0),
        .flight_max = t.flight_max,
        .refused_max = t.refused_max,
        .window = t.window,
    };
    t.session = smtp_session_init(memory, work, SMTP_BUFFER_LEN_MIN, &o, NULL);
    await(&t, GREETING, 0, 1);
    while ((t.flags & ALL_AT_ONCE) && t.added_count < t.item_count)
        add_mail(&t);
    if (t.flags & QUITS) quit(&t);
    drive(&t);
    finish(&t);
    return 0;
}

#pragma clang attribute pop
