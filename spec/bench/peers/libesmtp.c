/* libesmtp.c - libESMTP, which wants a session's messages before it starts.
 * libesmtp WORKLOAD PORT COUNT FILE [CA] */
#include <stddef.h> /* which the next needs */

#include <libesmtp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Their header declares it for an OpenSSL of long ago only. */
int smtp_starttls_set_ctx(smtp_session_t session, SSL_CTX *ctx);

#define FROM "ann@me.example"
#define TO   "bob@there.example"

static struct {
    const char *workload, *path, *ca;
    char server[64];
    char text[65536];
    size_t text_len;
} given;

/* Where one message is being read. */
struct upload {
    FILE *file;
    size_t at;
};

static char piece[65536]; /* one message is read at a time */

static bool is(const char *workload)
{
    return strcmp(given.workload, workload) == 0;
}

static void fail(void)
{
    char text[256];
    fprintf(stderr, "libesmtp: %s\n", smtp_strerror(smtp_errno(), text, sizeof text));
    exit(1);
}

static const char *read_text(void **data, int *len, void *whole)
{
    struct upload *u = *data;
    if (u == NULL) {
        u = *data = calloc(1, sizeof *u);
        if (u == NULL) exit(1);
        if (is("dots")) u->file = fopen(given.path, "rb");
    }
    if (len == NULL) {
        u->at = 0;
        if (u->file != NULL) rewind(u->file);
        return NULL;
    }
    (void)whole;
    if (u->file != NULL) {
        *len = (int)fread(piece, 1, sizeof piece, u->file);
        return piece;
    }
    *len = (int)(given.text_len - u->at);
    u->at = given.text_len;
    return given.text;
}

static void add(smtp_session_t session, size_t to_count)
{
    smtp_message_t message = smtp_add_message(session);
    if (!smtp_set_reverse_path(message, FROM)) fail();
    if (!smtp_set_messagecb(message, read_text, NULL)) fail();
    for (size_t i = 1; i <= to_count; i++) {
        char address[64] = TO;
        if (is("rcpts")) snprintf(address, sizeof address, "bob%zu@there.example", i);
        if (smtp_add_recipient(message, address) == NULL) fail();
    }
}

static void send_all(size_t count, size_t to_count)
{
    smtp_session_t session = smtp_create_session();
    if (!smtp_set_server(session, given.server)) fail();
    smtp_set_hostname(session, "me.example");
    if (is("starttls")) {
        SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
        if (SSL_CTX_load_verify_file(tls, given.ca) != 1) exit(1);
        smtp_starttls_enable(session, Starttls_REQUIRED);
        smtp_starttls_set_ctx(session, tls);
    }
    for (; count > 0; count--)
        add(session, to_count);
    if (!smtp_start_session(session)) fail();
    smtp_destroy_session(session);
}

int main(int argc, char **argv)
{
    if (argc < 5) return 1;
    given.workload = argv[1];
    /* The name is in the certificate; to look it up costs a tenth of a message. */
    snprintf(given.server, sizeof given.server, "%s:%s", is("starttls") ? "localhost" : "127.0.0.1",
             argv[2]);
    size_t count = strtoul(argv[3], NULL, 10);
    given.path = argv[4];
    given.ca = argv[5];
    FILE *file = fopen(given.path, "rb");
    if (file == NULL) return 1;
    given.text_len = fread(given.text, 1, sizeof given.text, file);
    fclose(file);
    if (count == 0) return 0;
    if (is("rcpts"))
        send_all(1, count);
    else if (is("new") || is("starttls"))
        for (; count > 0; count--)
            send_all(1, 1);
    else
        send_all(count, 1);
    return 0;
}
