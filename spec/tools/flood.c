/* flood.c - a peer that keeps TLS busy without a byte of data, for as long as it is let.
 *
 *    flood KIND CERTIFICATE KEY CONNECTIONS [PORT]
 *
 * Serves at most so many connections, each in a process of its own, and prints its port first; with
 * PORT it is the client of a server there. Kinds in place of a ServerHello: hello_request, alert,
 * ccs, empty, fragment. Kinds after the handshake: key_update, answered (a KeyUpdate that asks for
 * one), ticket, renegotiate (TLS 1.2). With "final:" before it, a kind begins in place of the
 * answer to the end of a message. With "during:" it comes now and then while a message arrives that
 * is read slowly: that is no flood, the message is taken, and its length printed. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORD_MAX = 16384, BATCH = 1000, PAUSE_EACH = 1 << 20, PAUSE_MS = 50, WINDOW = 65536 };

static const char *kind;
static bool at_end, during, client;

static void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) exit(0); /* it has had enough */
        data += n;
        len -= (size_t)n;
    }
}

/* ---- records in clear text ---- */

struct script {
    const char *kind;
    unsigned char type;
    size_t len; /* of a record */
    const char *body;
    size_t body_len; /* repeated up to len */
};

static const struct script scripts[] = {{"hello_request", 22, RECORD_MAX, "\0\0\0\0", 4},
                                        {"alert", 21, 2, "\1\132", 2},
                                        {"ccs", 20, 1, "\1", 1},
                                        {"empty", 22, 0, "", 1},
                                        {"fragment", 22, 1, "\0", 1},
                                        {NULL, 0, 0, NULL, 0}};

static void play(int fd, const struct script *script)
{
    static char record[5 + RECORD_MAX], heard[4096];
    record[0] = (char)script->type;
    record[1] = record[2] = 3;
    record[3] = (char)(script->len >> 8);
    record[4] = (char)(script->len & 255);
    for (size_t i = 0; i < script->len; i++)
        record[5 + i] = script->body[i % script->body_len];
    if (!client && recv(fd, heard, sizeof heard, 0) <= 0) exit(0);
    for (;;)
        send_all(fd, record, 5 + script->len);
}

/* ---- inside TLS ---- */

static void say(SSL *ssl, const char *text)
{
    if (SSL_write(ssl, text, (int)strlen(text)) <= 0) exit(0);
}

static void hear(SSL *ssl, char *line, int max)
{
    int len = 0;
    while (len < max - 1 && (len == 0 || line[len - 1] != '\n'))
        if (SSL_read(ssl, line + len++, 1) <= 0) exit(0);
    line[len] = '\0';
}

static void converse(SSL *ssl)
{
    char line[1100];
    say(ssl, "220 hi\r\n");
    do {
        hear(ssl, line, sizeof line);
        say(ssl, strncmp(line, "DATA", 4) == 0 ? "354 go\r\n" : "250 ok\r\n");
    } while (strncmp(line, "DATA", 4) != 0);
    if (during) return;
    do {
        hear(ssl, line, sizeof line);
    } while (strcmp(line, ".\r\n") != 0);
}

static void disturb(SSL *ssl)
{
    if (strcmp(kind, "ticket") == 0)
        SSL_new_session_ticket(ssl);
    else if (strcmp(kind, "renegotiate") == 0)
        SSL_renegotiate(ssl);
    else
        SSL_key_update(ssl, strcmp(kind, "answered") == 0 ? SSL_KEY_UPDATE_REQUESTED
                                                          : SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(ssl);
}

/* Takes a message, and what comes after it until the client has gone. */
static void take_slowly(SSL *ssl)
{
    static char text[RECORD_MAX];
    char last[5] = "";
    size_t total = 0;
    while (memcmp(last, "\r\n.\r\n", 5) != 0) {
        int len = SSL_read(ssl, text, sizeof text);
        if (len <= 0) exit(0);
        for (int i = len < 5 ? 0 : len - 5; i < len; i++) {
            memmove(last, last + 1, 4);
            last[4] = text[i];
        }
        if (total / PAUSE_EACH != (total + (size_t)len) / PAUSE_EACH) {
            disturb(ssl);
            (void)poll(NULL, 0, PAUSE_MS);
        }
        total += (size_t)len;
    }
    printf("%zu\n", total);
    fflush(stdout);
    say(ssl, "250 ok\r\n");
    hear(ssl, text, sizeof text);
    printf("%s", text);
    exit(0);
}

static void flood(int fd, SSL *ssl)
{
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl, out);
    for (;;) {
        char *data;
        for (int i = 0; i < BATCH; i++)
            disturb(ssl);
        long len = BIO_get_mem_data(out, &data);
        send_all(fd, data, (size_t)len);
        (void)BIO_reset(out);
    }
}

static void talk(int fd, SSL_CTX *ctx)
{
    for (const struct script *script = scripts; script->kind != NULL; script++)
        if (strcmp(kind, script->kind) == 0) play(fd, script);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if ((client ? SSL_connect(ssl) : SSL_accept(ssl)) != 1) exit(0);
    if (at_end || during) converse(ssl);
    if (during) take_slowly(ssl);
    flood(fd, ssl);
}

static SSL_CTX *make_context(const char *certificate, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
    if (strcmp(kind, "renegotiate") == 0) SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    if (client) return ctx;
    SSL_CTX_use_certificate_file(ctx, certificate, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
    return ctx;
}

int main(int argc, char **argv)
{
    if (argc < 5) return 2;
    signal(SIGPIPE, SIG_DFL);
    at_end = strncmp(argv[1], "final:", 6) == 0;
    during = strncmp(argv[1], "during:", 7) == 0;
    kind = argv[1] + (at_end ? 6 : during ? 7 : 0);
    client = argc > 5;
    SSL_CTX *ctx = make_context(argv[2], argv[3]);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    alarm(60);
    if (during) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){WINDOW}, sizeof(int));
    if (client) {
        address.sin_port = htons((uint16_t)atoi(argv[5]));
        if (connect(fd, (struct sockaddr *)&address, len) != 0) return 2;
        talk(fd, ctx);
    }
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 64) != 0) return 2;
    getsockname(fd, (struct sockaddr *)&address, &len);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = atoi(argv[4]); i > 0; i--) {
        int one = accept(fd, NULL, NULL);
        if (one < 0) break;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 500000},
                   sizeof(struct timeval));
        if (fork() == 0) {
            close(fd);
            alarm(60);
            talk(one, ctx);
        }
        close(one);
    }
    while (wait(NULL) > 0)
        continue;
    return 0;
}
