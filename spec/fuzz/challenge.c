/* challenge.c - a fuzzer for SASL exchanges: what a hostile server may answer to AUTH.
 *
 * The input: a byte that chooses the mechanism, a byte of flags, a byte that says how many octets
 * arrive at a time, and then the server's lines. Behind \1 a line goes on in clear text and is
 * coded in base64 as the server would do it; within that, \2 stands for the client's nonce and \3
 * for the right signature, so that states are reached that no fuzzer could guess its way to.
 *
 * What must hold, besides what the sanitizers see:
 *   - nobody is authenticated unless 235 came, the mechanism's answers were said before it, each as
 *     its RFC has it, and where the server has to prove itself the right signature was handed out;
 *   - nothing is said but EHLO, AUTH, answers, "*" and QUIT, and secrets as secrets only;
 *   - a session that is not over wants something, and is over in a bounded number of steps;
 *   - one that is over without having authenticated says why.
 */
#include "../../csrc/crypto/crypto.h"
#include "../../csrc/smtp.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(holds) ((holds) ? (void)0 : broken(__LINE__, #holds))

static void broken(int line, const char *rule)
{
    fprintf(stderr, "challenge.c:%d: this does not hold: %s\n", line, rule);
    abort();
}

enum kind { PLAIN, LOGIN, EXTERNAL, XOAUTH2, OAUTHBEARER, SCRAM, SCRAM_PLUS, CRAM_MD5, RAW };

static const struct {
    const char *name, *hash;
    unsigned flags;
    size_t answers; /* at most, in one exchange */
} mechanisms[] = {
    [PLAIN] = {"PLAIN", NULL, 0, 1},
    [LOGIN] = {"LOGIN", NULL, 0, 2},
    [EXTERNAL] = {"EXTERNAL", NULL, 0, 1},
    [XOAUTH2] = {"XOAUTH2", NULL, 0, 2},
    [OAUTHBEARER] = {"OAUTHBEARER", NULL, 0, 2},
    [SCRAM] = {"SCRAM-SHA-256", "SHA256", SMTP_MECH_MUTUAL, 3},
    [SCRAM_PLUS] = {"SCRAM-SHA-1-PLUS", "SHA1", SMTP_MECH_MUTUAL | SMTP_MECH_BINDS, 3},
    [CRAM_MD5] = {"CRAM-MD5", NULL, 0, 1},
    [RAW] = {"", "SHA256", 0, 0},
};

enum {
    FLAG_LONG = 0x01,   /* a password too long for an initial response */
    FLAG_PLAIN = 0x02,  /* PLAIN is offered and allowed as well */
    FLAG_OUT = 0x04,    /* the mechanism from outside finds that it cannot be used */
    FLAG_RENEW = 0x08,  /* a second token may be asked for */
    FLAG_RUN_ON = 0x10, /* lines arrive together */
    FLAG_EARLY = 0x20,  /* the server speaks before our command has left */
    FLAG_PREFER = 0x40, /* auth = "prefer" */
    FLAG_SILENT = 0x80  /* no initial response where the mechanism is led from outside */
};

enum { TEXT_MAX = 16384, STEPS_MAX = 8192 }; /* a line, and one that runs on, fit in with all marks filled in */

#define NONCE    "fyko+d2lbbFgONRv9qkxdawL"
#define USERNAME "ann,=1"
#define TOKEN    "ya29.secret"

static const char password[] = "secret";
static char long_password[401];

struct talk {
    /* the input */
    const uint8_t *data;
    size_t len, at, stride;
    enum kind kind;
    unsigned flags;
    /* the server's line on its way */
    char line[TEXT_MAX];
    size_t line_len, line_at;
    char heard[4]; /* the first octets of the line being heard */
    size_t heard_len;
    /* what the client said of the newest exchange */
    enum kind said_kind;
    char answers[TEXT_MAX];
    size_t answers_len, answer_count;
    bool in_exchange, initial, cancelled, success;
    /* SCRAM */
    struct scram scram;
    bool running, proved, finished;
    char signature[2 * CRYPTO_HASH_MAX];
    char cram[128];
    char unsaid[TEXT_MAX];
    size_t unsaid_len;
    bool has_unsaid;
    struct smtp_session *session;
};

/* ---- the server ---- */

static size_t add(char *out, size_t len, const char *data, size_t data_len)
{
    CHECK(len + data_len <= TEXT_MAX);
    memcpy(out + len, data, data_len);
    return len + data_len;
}

/* Sets t->signature to what the server would prove itself with. */
static void sign(struct talk *t)
{
    t->signature[0] = '\0';
    if (!t->running || t->scram.state != SCRAM_FINAL) return;
    size_t len = smtp_base64_encode((char *)t->scram.server, t->scram.hash_len, t->signature);
    t->signature[len] = '\0';
}

/* What is behind \1, with its marks filled in. */
static size_t fill_in(struct talk *t, const uint8_t *text, size_t len, char *out)
{
    size_t out_len = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == 2)
            out_len = add(out, out_len, NONCE, sizeof NONCE - 1);
        else if (text[i] == 3) {
            sign(t);
            out_len = add(out, out_len, t->signature, strlen(t->signature));
            t->proved = t->proved || t->signature[0] != '\0';
        } else
            out_len = add(out, out_len, (const char *)text + i, 1);
        if (out_len > 3072) return out_len;
    }
    return out_len;
}

static void next_line(struct talk *t)
{
    static char clear[TEXT_MAX];
    const uint8_t *from = t->data + t->at;
    size_t left = t->len - t->at;
    const uint8_t *end = memchr(from, '\n', left);
    size_t len = end != NULL ? (size_t)(end - from) : left;
    const uint8_t *mark = memchr(from, 1, len);
    size_t plain_len = mark != NULL ? (size_t)(mark - from) : len;
    t->line_len = add(t->line, t->line_len, (const char *)from, plain_len);
    if (mark != NULL) {
        size_t clear_len = fill_in(t, mark + 1, len - plain_len - 1, clear);
        CHECK(t->line_len + clear_len * 2 + 8 <= TEXT_MAX);
        t->line_len += smtp_base64_encode(clear, clear_len, t->line + t->line_len);
    }
    t->line_len = add(t->line, t->line_len, "\r\n", 2);
    t->at += end != NULL ? len + 1 : len;
}

/* The code of a line is in its first octets; a success is 235 and no line to follow. */
static void note_heard(struct talk *t, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            bool last = t->heard_len < 4 || t->heard[3] == ' ' || t->heard[3] == '\r';
            t->success = t->success || (t->heard_len >= 3 && last && !memcmp(t->heard, "235", 3));
            t->heard_len = 0;
        } else if (t->heard_len < sizeof t->heard)
            t->heard[t->heard_len++] = data[i];
    }
}

/* A copy in a block of its own size, so that one octet of over-read is seen. */
static char *copy(const char *data, size_t len)
{
    char *block = malloc(len);
    CHECK(block != NULL || len == 0);
    if (len > 0) memcpy(block, data, len);
    return block;
}

static void listen_to(struct talk *t)
{
    if (t->line_at == t->line_len) {
        t->line_at = t->line_len = 0;
        if (t->at < t->len) next_line(t);
        while ((t->flags & FLAG_RUN_ON) && t->at < t->len && t->line_len < 1024)
            next_line(t);
    }
    size_t len = t->line_len - t->line_at;
    if (t->stride != 0 && len > t->stride) len = t->stride;
    char *piece = copy(t->line + t->line_at, len);
    t->line_at += len;
    note_heard(t, piece, len);
    smtp_recv(t->session, piece, len); /* nothing: the connection is closed */
    free(piece);
}

/* ---- what the client says ---- */

static enum kind kind_of(const char *line, size_t len)
{
    for (size_t k = 0; k < RAW; k++) {
        size_t name_len = strlen(mechanisms[k].name);
        if (len < 5 + name_len || memcmp(line + 5, mechanisms[k].name, name_len) != 0) continue;
        if (len == 5 + name_len || line[5 + name_len] == ' ') return (enum kind)k;
    }
    broken(__LINE__, "a mechanism that is known");
    return RAW;
}

static void note_answer(struct talk *t, const char *text, size_t len)
{
    t->answers_len = add(t->answers, t->answers_len, text, len);
    t->answers_len = add(t->answers, t->answers_len, "\n", 1);
    t->answer_count++;
    CHECK(t->answer_count <= mechanisms[t->said_kind].answers);
}

static bool is_line(const char *line, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(line, word, len) == 0;
}

static void note_said(struct talk *t, const char *line, size_t len)
{
    CHECK(!t->cancelled || is_line(line, len, "QUIT"));
    t->success = false;
    if (is_line(line, len, "QUIT") || is_line(line, len, "EHLO me.example")) {
        t->in_exchange = false;
        return;
    }
    if (len > 5 && memcmp(line, "AUTH ", 5) == 0) {
        t->said_kind = kind_of(line, len);
        t->in_exchange = true;
        t->answers_len = t->answer_count = 0;
        CHECK(len <= 510); /* RFC 4954 4, with CRLF 512 */
        size_t head = 5 + strlen(mechanisms[t->said_kind].name);
        t->initial = len > head;
        if (t->initial) note_answer(t, line + head + 1, len - head - 1);
        return;
    }
    CHECK(t->in_exchange);
    t->cancelled = is_line(line, len, "*");
    if (!t->cancelled) note_answer(t, line, len);
}

/* All of it leaves: what does the transcript show? */
static void check_shown(struct talk *t, struct smtp_text out)
{
    static char text[SMTP_TRANSCRIPT_MAX + 64];
    char wanted[80] = "";
    const char *name = mechanisms[t->said_kind].name;
    bool auth = out.len > 5 && memcmp(out.data, "AUTH ", 5) == 0;
    if (auth)
        snprintf(wanted, sizeof wanted, "C: AUTH %s%s\n", name, t->initial ? " [secret]" : "");
    else if (t->cancelled && t->in_exchange)
        strcpy(wanted, "C: *\n");
    else if (t->in_exchange)
        strcpy(wanted, "C: [secret]\n");
    smtp_send_ack(t->session, out.len);
    bool open;
    size_t len = smtp_transcript(t->session, text, &open), wanted_len = strlen(wanted);
    CHECK(len >= wanted_len && memcmp(text + len - wanted_len, wanted, wanted_len) == 0);
}

static void speak(struct talk *t)
{
    struct smtp_text out = smtp_send_buf(t->session);
    const char *at = out.data, *end = out.data + out.len;
    CHECK(out.len > 0);
    while (at < end) {
        const char *stop = memchr(at, '\r', (size_t)(end - at));
        CHECK(stop != NULL && end - stop >= 2 && stop[1] == '\n');
        note_said(t, at, (size_t)(stop - at));
        at = stop + 2;
    }
    if ((t->flags & FLAG_EARLY) && t->in_exchange && t->at % 2 == 1) {
        smtp_send_ack(t->session, out.len - 1);
        listen_to(t);
        CHECK(smtp_session_facts(t->session)->auth != SMTP_AUTH_DONE);
        smtp_send_ack(t->session, 1);
    } else
        check_shown(t, out);
}

/* ---- the mechanisms that are led from outside ---- */

static bool is_scram(enum kind kind)
{
    return mechanisms[kind].hash != NULL;
}

static struct smtp_text words(const char *text)
{
    return (struct smtp_text){text, strlen(text)};
}

static const char *password_of(const struct talk *t)
{
    return t->flags & FLAG_LONG ? long_password : password;
}

static void begin_scram(struct talk *t, enum kind kind)
{
    const struct scram_settings settings = {
        .hash = mechanisms[kind].hash,
        .username = words(USERNAME),
        .password = words(password_of(t)),
        .authzid = words(t->flags & FLAG_LONG ? long_password : ""),
        .flag = kind == SCRAM_PLUS ? 'p' : 'n',
        .binding_type = words(kind == SCRAM_PLUS ? "tls-exporter" : ""),
        .binding = words(kind == SCRAM_PLUS ? "0123456789abcdef0123456789abcdef" : ""),
        .nonce = words(NONCE),
        .iterations_min = 1,
        .iterations_max = 16,
    };
    if (t->running) scram_drop(&t->scram);
    memset(&t->scram, 0, sizeof t->scram);
    t->running = true;
    t->proved = t->finished = false;
    CHECK(scram_begin(&t->scram, &settings) == NULL);
}

/* One step, with the challenge in a block of its own. It hashes so little that it ends at once. */
static const char *step_scram(struct talk *t, const char *data, size_t len,
                              struct smtp_text *answer, bool *content)
{
    bool was_over = t->scram.state == SCRAM_OVER || t->scram.state == SCRAM_CONTENT;
    bool proved = t->proved && t->scram.state == SCRAM_FINAL;
    char *challenge = copy(data, len);
    const char *word = scram_step(&t->scram, (struct smtp_text){challenge, len}, answer, content);
    free(challenge);
    CHECK(word == NULL || strcmp(word, "protocol") == 0 || strcmp(word, "iterations") == 0 ||
          strcmp(word, "server_not_authentic") == 0);
    CHECK(!was_over || (word != NULL && strcmp(word, "protocol") == 0));
    CHECK(!*content || (word == NULL && proved));
    CHECK(t->scram.text_len <= SCRAM_TEXT_MAX && answer->len <= SMTP_CHALLENGE_MAX);
    t->finished = t->finished || *content;
    return word;
}

static void answer_with(struct talk *t, const char *data, size_t len, bool content)
{
    char *answer = copy(data, len); /* borrowed for one call */
    struct smtp_text mechanism;
    bool began = smtp_challenge(t->session, &mechanism).data != NULL;
    bool said = smtp_answer(t->session, len > 0 ? answer : "", len, content);
    free(answer);
    CHECK(said || !began || smtp_wants(t->session) != SMTP_WANT_ANSWER);
    t->has_unsaid = !said && !began;
    if (t->has_unsaid) t->unsaid_len = add(t->unsaid, 0, data, len);
}

static void answer_scram(struct talk *t, struct smtp_text challenge)
{
    struct smtp_text answer;
    bool content;
    const char *word = step_scram(t, challenge.data, challenge.len, &answer, &content);
    if (word == NULL)
        answer_with(t, answer.data, answer.len, content);
    else
        smtp_answer_refuse(t->session, smtp_error_find("auth_rejected", word));
}

static void answer_cram(struct talk *t, struct smtp_text challenge)
{
    size_t len;
    if (challenge.len == 0) {
        smtp_answer_refuse(t->session, SMTP_ERROR_AUTH_PROTOCOL);
        return;
    }
    char *data = copy(challenge.data, challenge.len);
    unsigned char digest[CRYPTO_HASH_MAX];
    const char *word = crypto_hmac("MD5", words(password_of(t)),
                                   (struct smtp_text){data, challenge.len}, digest, &len);
    free(data);
    CHECK(word == NULL && len == 16);
    size_t at = (size_t)snprintf(t->cram, sizeof t->cram, "%s ", USERNAME);
    for (size_t i = 0; i < len; i++)
        at += (size_t)snprintf(t->cram + at, sizeof t->cram - at, "%02x", digest[i]);
    answer_with(t, t->cram, at, true);
}

static void begin_outside(struct talk *t, enum kind kind)
{
    struct smtp_text first = {NULL, 0};
    if (t->flags & FLAG_OUT) {
        smtp_mechanism_out(t->session);
        return;
    }
    if (is_scram(kind)) {
        begin_scram(t, kind);
        first = (struct smtp_text){t->scram.text, t->scram.first_len};
        CHECK(first.len > 0);
    }
    if (is_scram(kind) && !(t->flags & FLAG_SILENT)) {
        answer_with(t, first.data, first.len, false);
        return;
    }
    CHECK(!smtp_answer(t->session, NULL, 0, false));
    t->has_unsaid = is_scram(kind);
    if (t->has_unsaid) t->unsaid_len = add(t->unsaid, 0, first.data, first.len);
}

static void answer(struct talk *t)
{
    struct smtp_text mechanism, challenge = smtp_challenge(t->session, &mechanism);
    enum kind kind = t->kind;
    CHECK(is_line(mechanism.data, mechanism.len, mechanisms[kind].name));
    if (challenge.data == NULL) {
        begin_outside(t, kind);
    } else if (t->has_unsaid) {
        t->has_unsaid = false;
        answer_with(t, t->unsaid, t->unsaid_len, false);
    } else if (is_scram(kind)) {
        answer_scram(t, challenge);
    } else {
        answer_cram(t, challenge);
    }
}

/* ---- what must hold at the end of it ---- */

static size_t add_coded(char *out, size_t len, const char *data, size_t data_len)
{
    CHECK(len + data_len * 2 + 8 <= TEXT_MAX);
    len += smtp_base64_encode(data, data_len, out + len);
    return add(out, len, "\n", 1);
}

/* The answers that make up an exchange of a mechanism whose answers are known before. */
static size_t expected(const struct talk *t, char *out)
{
    static char text[TEXT_MAX];
    const char *secret = password_of(t);
    size_t len = 0;
    switch (t->said_kind) {
    case PLAIN:
        len = (size_t)snprintf(text, sizeof text, "%c" USERNAME "%c%s", 0, 0, secret);
        return add_coded(out, 0, text, len);
    case LOGIN:
        len = add_coded(out, 0, USERNAME, sizeof USERNAME - 1);
        return add_coded(out, len, secret, strlen(secret));
    case EXTERNAL: /* an empty answer is "=" on the AUTH line alone (RFC 4954 4) */
        return t->initial ? add(out, 0, "=\n", 2) : add(out, 0, "\n", 1);
    case XOAUTH2:
        len = (size_t)snprintf(text, sizeof text, "user=" USERNAME "\1auth=Bearer " TOKEN "\1\1");
        return add_coded(out, 0, text, len);
    case OAUTHBEARER:
        len = (size_t)snprintf(text, sizeof text,
                               "n,a=ann=2C=3D1,\1host=mx.example\1port=587\1"
                               "auth=Bearer " TOKEN "\1\1");
        return add_coded(out, 0, text, len);
    case CRAM_MD5: return add_coded(out, 0, t->cram, strlen(USERNAME) + 33);
    case SCRAM:
    case SCRAM_PLUS:
    case RAW: break;
    }
    return 0;
}

static void check_authenticated(struct talk *t)
{
    static char wanted[TEXT_MAX];
    CHECK(t->success && t->in_exchange && !t->cancelled);
    if (is_scram(t->said_kind)) {
        CHECK(t->proved && t->finished && t->answer_count >= 2);
        return;
    }
    size_t len = expected(t, wanted);
    CHECK(len == t->answers_len && memcmp(wanted, t->answers, len) == 0);
}

static void check_over(struct talk *t)
{
    const struct smtp_facts *facts = smtp_session_facts(t->session);
    const struct smtp_trouble *trouble = &smtp_session_status(t->session)->trouble;
    if (trouble->error == SMTP_ERROR_NONE)
        CHECK(facts->auth == SMTP_AUTH_DONE ||
              (facts->auth == SMTP_AUTH_UNAVAILABLE && (t->flags & FLAG_PREFER)));
    CHECK(trouble->answer.text_len <= SMTP_TEXT_MAX);
    CHECK(facts->challenge.len <= SMTP_CHALLENGE_MAX);
    CHECK(!facts->bound || t->said_kind == SCRAM_PLUS); /* nothing less after what binds */
}

/* ---- the loop ---- */

static void do_as_wanted(struct talk *t, unsigned wants)
{
    if (wants & SMTP_WANT_SECRET) {
        bool token = smtp_secret_wanted(t->session) == SMTP_SECRET_TOKEN;
        const char *secret = token ? TOKEN : password_of(t);
        smtp_secret(t->session, secret, strlen(secret));
    } else if (wants & SMTP_WANT_ANSWER)
        answer(t);
    else if (wants & SMTP_WANT_SEND)
        speak(t);
    else if (wants & SMTP_WANT_RECV)
        listen_to(t);
    else if (wants & SMTP_WANT_READY)
        smtp_quit(t->session);
    else
        broken(__LINE__, "neither TLS nor a message is wanted");
}

static void drive(struct talk *t)
{
    bool before = false;
    for (unsigned steps = 0;; steps++) {
        unsigned wants = smtp_wants(t->session);
        CHECK(wants != 0 && steps < STEPS_MAX);
        if (wants & SMTP_WANT_NOTHING) return;
        do_as_wanted(t, wants);
        bool now = smtp_session_facts(t->session)->auth == SMTP_AUTH_DONE;
        CHECK(now || !before);
        if (now && !before) check_authenticated(t);
        before = now;
    }
}

static void set_mech(struct smtp_options *o, enum kind kind)
{
    o->mechs[o->mech_count].name =
        (struct smtp_text){mechanisms[kind].name, strlen(mechanisms[kind].name)};
    o->mechs[o->mech_count++].flags = mechanisms[kind].flags;
}

static struct smtp_text text_of(const char *text)
{
    return (struct smtp_text){text, strlen(text)};
}

static void fuzz_session(struct talk *t)
{
    static void *memory, *work;
    char hello[128];
    struct smtp_options o = {
        .domain = text_of("me.example"),
        .tls_on = true,
        .auth = t->flags & FLAG_PREFER ? SMTP_PREFER : SMTP_REQUIRE,
        .username = text_of(USERNAME),
        .token_renewable = (t->flags & FLAG_RENEW) != 0,
        .host = text_of("mx.example"),
        .port = 587,
    };
    set_mech(&o, t->kind);
    if (t->flags & FLAG_PLAIN) set_mech(&o, PLAIN);
    if (memory == NULL) memory = malloc(smtp_session_size());
    if (work == NULL) work = malloc(smtp_work_size(SMTP_BUFFER_LEN_MIN));
    CHECK(memory != NULL && work != NULL);
    t->session = smtp_session_init(memory, work, SMTP_BUFFER_LEN_MIN, &o, NULL);
    smtp_recv(t->session, "220 mx\r\n", 8);
    speak(t);
    int len = snprintf(hello, sizeof hello, "250-mx\r\n250 AUTH %s%s\r\n", mechanisms[t->kind].name,
                       t->flags & FLAG_PLAIN ? " PLAIN" : "");
    smtp_recv(t->session, hello, (size_t)len);
    drive(t);
    check_over(t);
}

/* The server's messages without SMTP around them, one in each line; \1 means nothing here. */
static void fuzz_raw(struct talk *t)
{
    struct smtp_text given;
    bool content = false, ever = false;
    begin_scram(t, t->flags & FLAG_PLAIN ? SCRAM_PLUS : SCRAM);
    while (t->at < t->len) {
        static char message[TEXT_MAX];
        const uint8_t *from = t->data + t->at, *end = memchr(from, '\n', t->len - t->at);
        size_t len = end != NULL ? (size_t)(end - from) : t->len - t->at;
        size_t message_len = fill_in(t, from, len, message);
        const char *word = step_scram(t, message, message_len, &given, &content);
        CHECK(!ever || word != NULL); /* it is over */
        ever = ever || content;
        t->at += end != NULL ? len + 1 : len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct talk t;
    if (size < 4) return 0;
    memset(long_password, 'x', sizeof long_password - 1);
    memset(&t, 0, offsetof(struct talk, scram));
    t.running = t.proved = t.finished = t.has_unsaid = false;
    t.kind = (enum kind)(data[0] % (RAW + 1));
    t.said_kind = t.kind;
    t.flags = data[1];
    t.stride = data[2];
    uint8_t *rest = malloc(size - 3);
    CHECK(rest != NULL);
    memcpy(rest, data + 3, size - 3);
    t.data = rest;
    t.len = size - 3;
    if (t.kind == RAW)
        fuzz_raw(&t);
    else
        fuzz_session(&t);
    if (t.running) scram_drop(&t.scram);
    free(rest);
    return 0;
}
