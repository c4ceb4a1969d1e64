/* codecs.c - what the codecs cost, beside something known, in one run. See spec/bench/codecs. */
#include "../../csrc/engine/session.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    MIB = 1024 * 1024,
    BODY_LEN = 64 * MIB, /* more than any cache */
    PIECE_LEN = 64 * 1024,
    BUFFER_LEN = 128 * 1024,
    ROUNDS = 5,
    SAMPLES = ROUNDS * (BODY_LEN / MIB)
};

static char *body, *copied, *out;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times)
{
    qsort(times, SAMPLES, sizeof *times, compare);
    return times[SAMPLES / 2];
}

typedef void codec(const char *data); /* of one MiB, to `out` */

/* The machine may not be ours alone: the two are timed in turn, a MiB each, and the medians count.
 * The pieces lie far apart, so that neither finds its own in a cache. */
static void race(const char *what, codec *ours, const char *against, codec *theirs)
{
    static double a[SAMPLES], b[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        size_t at = (size_t)i * MIB;
        double begin = now();
        ours(body + at % BODY_LEN);
        double between = now();
        theirs(body + (at + BODY_LEN / 2) % BODY_LEN);
        a[i] = between - begin;
        b[i] = now() - between;
    }
    double rate = MIB / median(a) / 1e9, known = MIB / median(b) / 1e9;
    printf("%-26s %6.2f GB/s   %-16s %6.2f GB/s   ratio %6.2f\n", what, rate, against, known,
           rate / known);
}

/* To another place each time, as `body` is: no cache holds both. */
static void copy(const char *data)
{
    memcpy(copied + (data - body), data, MIB);
}

/* ---- bodies ---- */

static void encode(enum smtp_encoding encoding, const char *data)
{
    struct smtp_encoder e;
    char *to = out;
    e = (struct smtp_encoder){.encoding = encoding};
    for (size_t at = 0; at < MIB; at += PIECE_LEN)
        to += smtp_encode(&e, data + at, PIECE_LEN, to);
    smtp_encode_end(&e, to);
}

static void base64(const char *data)
{
    smtp_base64_encode(data, MIB, out);
}

static void base64_lines(const char *data)
{
    encode(SMTP_BASE64, data);
}

static void evp(const char *data)
{
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)data, MIB);
}

static void quoted(const char *data)
{
    encode(SMTP_QUOTED_PRINTABLE, data);
}

static void line_ends(const char *data)
{
    encode(SMTP_7BIT, data);
}

/* ---- the message, with all checks ---- */

static struct smtp_session *session;
static struct smtp_recipient bob = {.address = {"bob@there.example", 17}};
static struct smtp_transaction mail = {
    .from = {"ann@me.example", 14}, .to = &bob, .to_count = 1, .source_len = SMTP_LEN_UNKNOWN};

static void hear(const char *reply)
{
    smtp_send_ack(session, smtp_send_buf(session).len);
    smtp_recv(session, reply, strlen(reply));
}

static void open_session(void)
{
    struct smtp_options options = {.domain = {"me.example", 10}};
    session = smtp_session_init(malloc(smtp_session_size()), malloc(smtp_work_size(BUFFER_LEN)),
                                BUFFER_LEN, &options, NULL);
    hear("220 hi\r\n");
    hear("250 mx\r\n");
    smtp_transaction_add(session, &mail);
    hear("250 ok\r\n");
    hear("250 ok\r\n");
    hear("354 go\r\n");
}

static void message(const char *data)
{
    for (size_t at = 0; at < MIB;) {
        at += smtp_body(session, data + at, MIB - at < PIECE_LEN ? MIB - at : PIECE_LEN);
        smtp_send_ack(session, smtp_send_buf(session).len);
    }
    if (!(smtp_wants(session) & SMTP_WANT_BODY)) exit(1);
}

static void scan(const char *data)
{
    struct smtp_scan result = {0};
    smtp_scan(&result, data, MIB);
    smtp_scan_end(&result);
    if (result.nul) exit(1);
}

/* ---- what goes in ---- */

static uint32_t random_below(uint32_t bound)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 32) * bound >> 32);
}

/* Lines of up to 72 octets; the words come in no order that a processor could learn. */
static void write_text(const char *const words[], uint32_t count)
{
    size_t line_len = 0;
    for (size_t at = 0; at < BODY_LEN;) {
        const char *word = words[random_below(count)];
        size_t len = strlen(word);
        if (line_len + len > 72) {
            body[at - 1] = '\r';
            body[at++] = '\n';
            line_len = 0;
        }
        for (; *word != '\0' && at < BODY_LEN; word++)
            body[at++] = *word;
        if (at < BODY_LEN) body[at++] = ' ';
        line_len += len + 1;
    }
}

static const char *const english[] = {"the",    "quick",       "brown",    "fox", "it",    "is",
                                      "said",   "that",        "he",       "was", "paid",  "by",
                                      "hour,",  "which",       "explains", "a",   "great", "deal;",
                                      "nobody", "understands", "why.",     "and", "of"};
/* One letter in fifty is no ASCII, as in most German text. */
static const char *const german[] = {
    "die",         "Größe",   "der",     "Dateien", "hat",     "sich",   "nur",         "selten",
    "geändert,",   "sagte",   "er",      "und",     "am",      "Ende",   "stellte",     "sich",
    "heraus:",     "es",      "waren",   "doch",    "mehr",    "davon.", "Schade",      "in",
    "den",         "letzten", "zwölf",   "Monaten", "wurden",  "alle",   "Nachrichten", "einzeln",
    "verschickt,", "obwohl",  "niemand", "darum",   "gebeten", "hatte"};
#define WRITE_TEXT(words) write_text(words, sizeof(words) / sizeof *(words))

static void repeat(const char *line)
{
    size_t len = strlen(line);
    for (size_t i = 0; i < BODY_LEN; i++)
        body[i] = line[i % len];
}

/* For another program, which then asks how long that takes us. */
static void keep(const char *directory, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(body, 1, MIB, file) != MIB || fclose(file) != 0) exit(1);
}

static int say_rate(const char *path)
{
    static double times[SAMPLES];
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(body, 1, MIB, file) != MIB || fclose(file) != 0) return 1;
    for (int i = 0; i < SAMPLES; i++) {
        double begin = now();
        quoted(body);
        times[i] = now() - begin;
    }
    printf("%f\n", MIB / median(times) / 1e9);
    return 0;
}

static void say_all(const char *directory)
{
    for (size_t i = 0; i < BODY_LEN; i++)
        body[i] = (char)random_below(256);
    race("base64 without line ends", base64, "EVP_EncodeBlock", evp);
    race("base64 in lines", base64_lines, "EVP_EncodeBlock", evp);
    WRITE_TEXT(english);
    keep(directory, "english");
    race("DATA, lines of text", message, "memcpy", copy);
    race("scan, English", scan, "memcpy", copy);
    race("7bit, English", line_ends, "memcpy", copy);
    race("quoted-printable, English", quoted, "memcpy", copy);
    WRITE_TEXT(german);
    keep(directory, "german");
    race("scan, German", scan, "memcpy", copy);
    race("quoted-printable, German", quoted, "memcpy", copy);
    repeat("........................................................................\r\n");
    race("DATA, lines of 72 dots", message, "memcpy", copy);
    repeat(".\r\n");
    race("DATA, lines of one dot", message, "memcpy", copy);
}

/* codecs DIRECTORY | codecs quoted FILE */
int main(int argc, char **argv)
{
    body = malloc(BODY_LEN);
    copied = malloc(BODY_LEN);
    out = malloc((size_t)8 * MIB);
    if (body == NULL || out == NULL || copied == NULL || argc < 2) return 1;
    if (argc == 3 && strcmp(argv[1], "quoted") == 0) return say_rate(argv[2]);
    memset(copied, 0, BODY_LEN);
    open_session();
    say_all(argv[1]);
    return 0;
}
