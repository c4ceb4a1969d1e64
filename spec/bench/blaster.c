/* blaster.c - the limit of this machine: sends what was made beforehand and only counts replies.
 * See spec/bench/run.
 *
 * blaster PATTERN PORT COUNT FILE [CA], the patterns being
 *
 *   stream     kept connection, MAIL RCPT BDAT and the message, 64 messages in flight
 *   bdat       the same, one in flight: a round trip
 *   data       MAIL RCPT DATA, then the message: two round trips
 *   new-eager  a new connection each: all behind EHLO, QUIT too: three round trips
 *   new        the same as `data` has it, QUIT for itself: five
 *   starttls-eager, starttls   the same inside STARTTLS, sessions resumed
 *   attach     FILE as an attachment in base64, with AVX-512 or AVX2, written 256 KiB at a time, COUNT times
 *   dots       FILE with its dots stuffed, written 256 KiB at a time, COUNT times
 *   rcpts      one message to COUNT recipients
 *   conc       COUNT connections at once, a message each, as `new` has it */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { WINDOW = 64, IN_MAX = 64 * 1024, READ_LEN = 57 * 3449, OUT_MAX = 256 * 1024 };

#define EHLO     "EHLO blaster.example\r\n"
#define ENVELOPE "MAIL FROM:<ann@me.example>\r\nRCPT TO:<bob@there.example>\r\n"

struct text {
    char *data;
    size_t len;
};

static uint16_t port;
static struct text file; /* whole, where it is short */
static const char *path;
static SSL_CTX *tls;
static SSL_SESSION *session;

static void die(const char *what)
{
    fprintf(stderr, "blaster: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *room(size_t len)
{
    void *data = malloc(len);
    if (data == NULL) die("memory");
    return data;
}

static struct text joined(const struct text *parts, size_t parts_count)
{
    struct text all = {NULL, 0};
    for (size_t i = 0; i < parts_count; i++)
        all.len += parts[i].len;
    all.data = room(all.len);
    char *to = all.data;
    for (size_t i = 0; i < parts_count; i++)
        to = (char *)memcpy(to, parts[i].data, parts[i].len) + parts[i].len;
    return all;
}

static struct text of_string(const char *string)
{
    return (struct text){strdup(string), strlen(string)};
}

/* ---- a connection ---- */

struct connection {
    int fd;
    SSL *ssl;
    size_t in_len; /* of a reply that is not whole */
    char in[IN_MAX];
};

static void dial(struct connection *c)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->ssl = NULL;
    c->in_len = 0;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void hang_up(struct connection *c)
{
    /* As TLS asks of whoever closes (RFC 8446 6.1); OpenSSL resumes no session without it. */
    if (c->ssl != NULL) SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
}

static void say(struct connection *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, data, (int)len)
                                   : send(c->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) die("send");
        data += n;
        len -= (size_t)n;
    }
}

/* Reads once. -> whole replies that came; lines that more follow do not count. */
static size_t hear(struct connection *c)
{
    char *to = c->in + c->in_len, *at = c->in;
    ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, to, (int)(IN_MAX - c->in_len))
                               : recv(c->fd, to, IN_MAX - c->in_len, 0);
    if (n <= 0) die("recv");
    size_t replies = 0;
    for (char *end, *stop = to + n;; at = end + 1) {
        end = memchr(at, '\n', (size_t)(stop - at));
        if (end == NULL) {
            c->in_len = (size_t)(stop - at);
            break;
        }
        if (*at > '3') die("refused");
        if (at[3] == ' ') replies++;
    }
    memmove(c->in, at, c->in_len);
    return replies;
}

static void await(struct connection *c, size_t replies)
{
    for (size_t heard = 0; heard < replies;)
        heard += hear(c);
}

/* ---- the dialogue as steps: said in one write, then so many replies ---- */

struct step {
    struct text text;
    size_t replies;
};

static void play(struct connection *c, const struct step *steps)
{
    for (; steps->replies > 0; steps++) {
        say(c, steps->text.data, steps->text.len);
        await(c, steps->replies);
    }
}

static struct step chunked(const char *before, const char *after, size_t replies)
{
    char bdat[64];
    snprintf(bdat, sizeof bdat, "BDAT %zu LAST\r\n", file.len);
    struct text parts[] = {of_string(before), of_string(bdat), file, of_string(after)};
    return (struct step){joined(parts, 4), replies};
}

static struct step dotted(void)
{
    struct text parts[] = {file, of_string(".\r\n")};
    return (struct step){joined(parts, 2), 1};
}

static struct step words(const char *text, size_t replies)
{
    return (struct step){of_string(text), replies};
}

static void kept(const struct step *steps, size_t count)
{
    struct connection c;
    dial(&c);
    await(&c, 1);
    play(&c, (struct step[]){words(EHLO, 1), {{NULL, 0}, 0}});
    while (count-- > 0)
        play(&c, steps);
    play(&c, (struct step[]){words("QUIT\r\n", 1), {{NULL, 0}, 0}});
    hang_up(&c);
}

static void stream(size_t count)
{
    struct step one = chunked(ENVELOPE, "", 3);
    struct text parts[WINDOW];
    for (size_t i = 0; i < WINDOW; i++)
        parts[i] = one.text;
    struct text all = joined(parts, WINDOW);
    struct connection c;
    dial(&c);
    await(&c, 1);
    play(&c, (struct step[]){words(EHLO, 1), {{NULL, 0}, 0}});
    for (size_t said = 0, replies = 0; replies < 3 * count;) {
        size_t room_left = WINDOW - (said - replies / 3);
        size_t now = count - said < room_left ? count - said : room_left;
        say(&c, all.data, now * one.text.len);
        said += now;
        replies += hear(&c);
    }
    hang_up(&c);
}

/* ---- STARTTLS ---- */

static int keep_session(SSL *ssl, SSL_SESSION *newest)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = newest;
    return 1;
}

static void prepare_tls(const char *ca)
{
    tls = SSL_CTX_new(TLS_client_method());
    if (ca == NULL || SSL_CTX_load_verify_file(tls, ca) != 1) die("CA");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls, keep_session);
}

static void begin_tls(struct connection *c)
{
    c->ssl = SSL_new(tls);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) die("SSL_new");
    SSL_set_tlsext_host_name(c->ssl, "localhost");
    SSL_set1_host(c->ssl, "localhost");
    if (session != NULL) SSL_set_session(c->ssl, session);
    if (SSL_connect(c->ssl) != 1) die("SSL_connect");
}

static void renewed(const struct step *steps, size_t count)
{
    static const struct step end = {{NULL, 0}, 0};
    struct step hello[] = {words(EHLO, 1), end};
    struct step starttls[] = {words("STARTTLS\r\n", 1), end};
    struct connection c;
    for (; count > 0; count--) {
        dial(&c);
        await(&c, 1);
        play(&c, hello);
        if (tls != NULL) {
            play(&c, starttls);
            begin_tls(&c);
            play(&c, hello);
        }
        play(&c, steps);
        hang_up(&c);
    }
}

/* ---- large files ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_simply(const unsigned char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)from[i] << 16;
        if (i + 1 < len) v |= (uint32_t)from[i + 1] << 8;
        if (i + 2 < len) v |= from[i + 2];
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
        *to++ = i + 2 < len ? alphabet[v & 63] : '=';
    }
}

#ifdef __x86_64__
/* 24 octets to 32 letters; reads 4 octets before `from`. After Wojciech Muła, Daniel Lemire:
 * Faster Base64 Encoding and Decoding Using AVX2 Instructions (2018). */
__attribute__((target("avx2"))) static void encode_24(const unsigned char *from, char *to)
{
    const __m256i spread = _mm256_setr_epi8(5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14,
                                            1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i offsets =
        _mm256_setr_epi8(65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0, 65, 71, -4,
                         -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0);
    __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)(from - 4));
    in = _mm256_shuffle_epi8(in, spread);
    __m256i high = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)),
                                      _mm256_set1_epi32(0x04000040));
    __m256i low = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)),
                                     _mm256_set1_epi32(0x01000010));
    __m256i six = _mm256_or_si256(high, low);
    __m256i row = _mm256_subs_epu8(six, _mm256_set1_epi8(51));
    row = _mm256_sub_epi8(row, _mm256_cmpgt_epi8(six, _mm256_set1_epi8(25)));
    six = _mm256_add_epi8(six, _mm256_shuffle_epi8(offsets, row));
    _mm256_storeu_si256((__m256i *)(void *)to, six);
}

/* 48 octets to 64 letters; reads 64 octets. After the same authors: Base64 encoding and decoding at
 * almost the speed of a memory copy (2019). */
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) static void
encode_48(const unsigned char *from, char *to)
{
    static const unsigned char spread[64] = {
        1,  0,  2,  1,  4,  3,  5,  4,  7,  6,  8,  7,  10, 9,  11, 10, 13, 12, 14, 13, 16, 15,
        17, 16, 19, 18, 20, 19, 22, 21, 23, 22, 25, 24, 26, 25, 28, 27, 29, 28, 31, 30, 32, 31,
        34, 33, 35, 34, 37, 36, 38, 37, 40, 39, 41, 40, 43, 42, 44, 43, 46, 45, 47, 46};
    __m512i in = _mm512_loadu_si512(from);
    in = _mm512_permutexvar_epi8(_mm512_loadu_si512(spread), in);
    in = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3036242a1016040a), in);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi8(in, _mm512_loadu_si512(alphabet)));
}

/* 57 octets. -> done, where this processor can */
static bool encode_line(const unsigned char *from, char *to)
{
    if (__builtin_cpu_supports("avx512vbmi")) {
        encode_48(from, to);
        encode_48(from + 9, to + 12);
        return true;
    }
    if (!__builtin_cpu_supports("avx2")) return false;
    encode_24(from, to);
    encode_24(from + 24, to + 32);
    encode_24(from + 33, to + 44);
    return true;
}
#else
static bool encode_line(const unsigned char *from, char *to)
{
    (void)from, (void)to;
    return false;
}
#endif

/* Lines of 76 letters. -> their length */
static size_t encode(const unsigned char *from, size_t len, char *to)
{
    char *start = to;
    for (; len > 0; *to++ = '\r', *to++ = '\n') {
        size_t line_len = len < 57 ? len : 57;
        if (line_len < 57 || !encode_line(from, to)) encode_simply(from, line_len, to);
        from += line_len;
        len -= line_len;
        to += (line_len + 2) / 3 * 4;
    }
    return (size_t)(to - start);
}

/* Dots at the beginning of lines twice. `*line` tells whether a line begins at `from`. */
static size_t stuff(const char *from, size_t len, char *to, bool *line)
{
    const char *end = from + len, *copied = from;
    char *start = to;
    if (*line && *from == '.') *to++ = '.';
    for (const char *dot = from + 1; dot < end; dot++) {
        dot = memchr(dot, '.', (size_t)(end - dot));
        if (dot == NULL) break;
        if (dot[-1] != '\n') continue;
        memcpy(to, copied, (size_t)(dot - copied));
        to += dot - copied;
        *to++ = '.';
        copied = dot;
    }
    memcpy(to, copied, (size_t)(end - copied));
    *line = end[-1] == '\n';
    return (size_t)(to - start) + (size_t)(end - copied);
}

#define MIXED                                                                                      \
    "From: <ann@me.example>\r\nTo: <bob@there.example>\r\nMIME-Version: 1.0\r\n"                   \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee the file\r\n--b\r\n"          \
    "Content-Type: application/octet-stream\r\nContent-Disposition: attachment\r\n"                \
    "Content-Transfer-Encoding: base64\r\n\r\n"

static void chunk(struct connection *c, const char *data, size_t len, const char *last)
{
    char bdat[64];
    int bdat_len = snprintf(bdat, sizeof bdat, "BDAT %zu%s\r\n", len, last);
    say(c, bdat, (size_t)bdat_len);
    say(c, data, len);
}

/* `in` and `out` have room before them: encode_24 reads there, BDAT is written there. */
static void attach(struct connection *c, int fd, unsigned char *in, char *out)
{
    static const char end[] = "--b--\r\n";
    size_t len = sizeof MIXED - 1, replies = 3;
    ssize_t n;
    say(c, ENVELOPE, sizeof ENVELOPE - 1);
    memcpy(out, MIXED, len);
    while ((n = read(fd, in, READ_LEN)) > 0) {
        len += encode(in, (size_t)n, out + len);
        char bdat[64];
        int bdat_len = snprintf(bdat, sizeof bdat, "BDAT %zu\r\n", len);
        memcpy(out - bdat_len, bdat, (size_t)bdat_len);
        say(c, out - bdat_len, len + (size_t)bdat_len);
        len = 0;
        replies++;
    }
    chunk(c, end, sizeof end - 1, " LAST");
    await(c, replies);
}

static void dots(struct connection *c, int fd, unsigned char *in, char *out)
{
    bool line = true;
    ssize_t n;
    play(c, (struct step[]){words(ENVELOPE "DATA\r\n", 3), {{NULL, 0}, 0}});
    while ((n = read(fd, in, OUT_MAX)) > 0)
        say(c, out, stuff((char *)in, (size_t)n, out, &line));
    play(c, (struct step[]){words(".\r\n", 1), {{NULL, 0}, 0}});
}

static void bulk(void (*one)(struct connection *, int, unsigned char *, char *), size_t count)
{
    unsigned char *in = (unsigned char *)room(64 + OUT_MAX) + 64;
    char *out = (char *)room(64 + 2 * OUT_MAX) + 64;
    struct connection c;
    dial(&c);
    await(&c, 1);
    play(&c, (struct step[]){words(EHLO, 1), {{NULL, 0}, 0}});
    for (; count > 0; count--) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) die(path);
        one(&c, fd, in, out);
        close(fd);
    }
    play(&c, (struct step[]){words("QUIT\r\n", 1), {{NULL, 0}, 0}});
    hang_up(&c);
}

/* ---- many recipients, many connections ---- */

static void recipients(size_t count)
{
    struct text *parts = room((count + 1) * sizeof *parts);
    parts[0] = of_string("MAIL FROM:<ann@me.example>\r\n");
    for (size_t i = 1; i <= count; i++) {
        char line[64];
        snprintf(line, sizeof line, "RCPT TO:<bob%zu@there.example>\r\n", i);
        parts[i] = of_string(line);
    }
    struct text envelope = joined(parts, count + 1);
    struct text whole[] = {envelope, chunked("", "", 1).text};
    kept((struct step[]){{joined(whole, 2), count + 2}, {{NULL, 0}, 0}}, 1);
}

static void at_once(const struct step *steps, size_t count)
{
    struct connection *c = room(count * sizeof *c);
    struct pollfd *fds = room(count * sizeof *fds);
    size_t *step = calloc(count, sizeof *step), *owed = room(count * sizeof *owed), left = count;
    for (size_t i = 0; i < count; i++) {
        dial(&c[i]);
        owed[i] = 1;
        fds[i] = (struct pollfd){c[i].fd, POLLIN, 0};
    }
    while (left > 0) {
        if (poll(fds, count, 10000) <= 0) die("poll");
        for (size_t i = 0; i < count; i++) {
            if (fds[i].revents == 0) continue;
            owed[i] -= hear(&c[i]);
            if (owed[i] > 0) continue;
            const struct step *next = &steps[step[i]++];
            owed[i] = next->replies;
            if (owed[i] > 0) {
                say(&c[i], next->text.data, next->text.len);
                continue;
            }
            hang_up(&c[i]);
            fds[i].fd = -1;
            left--;
        }
    }
}

static void read_file(void)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) die(path);
    file.data = room(IN_MAX);
    file.len = fread(file.data, 1, IN_MAX, stream);
    fclose(stream);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("blaster PATTERN PORT COUNT FILE [CA]\n", stderr);
        return 1;
    }
    const char *pattern = argv[1];
    port = (uint16_t)strtoul(argv[2], NULL, 10);
    size_t count = strtoul(argv[3], NULL, 10);
    path = argv[4];
    read_file();
    const struct step end = {{NULL, 0}, 0};
    struct step bdat[] = {chunked(ENVELOPE, "", 3), end};
    struct step data[] = {words(ENVELOPE "DATA\r\n", 3), dotted(), end};
    struct step all[] = {chunked(ENVELOPE, "QUIT\r\n", 4), end};
    struct step each[] = {data[0], data[1], words("QUIT\r\n", 1), end};
    struct step conc[] = {words(EHLO, 1), data[0], data[1], words("QUIT\r\n", 1), end};
    if (strncmp(pattern, "starttls", 8) == 0) prepare_tls(argv[5]);
    if (strcmp(pattern, "stream") == 0)
        stream(count);
    else if (strcmp(pattern, "bdat") == 0)
        kept(bdat, count);
    else if (strcmp(pattern, "data") == 0)
        kept(data, count);
    else if (strcmp(pattern, "attach") == 0)
        bulk(attach, count);
    else if (strcmp(pattern, "dots") == 0)
        bulk(dots, count);
    else if (strcmp(pattern, "rcpts") == 0)
        recipients(count);
    else if (strcmp(pattern, "conc") == 0)
        at_once(conc, count);
    else
        renewed(strstr(pattern, "-eager") != NULL ? all : each, count);
    return 0;
}
