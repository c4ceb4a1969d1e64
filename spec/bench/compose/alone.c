/* alone.c - what composing cannot do without, by itself: the scanner with the encoder, and a
 * signature. Peers are led by spec/bench/compose/run: a line with a count on stdin, seconds of the
 * processor on stdout. alone text FILE ENCODING | alone sign FILE (a private key) */
#include "../../../csrc/engine/session.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *text, *lines, *out;
static size_t text_len;
static enum smtp_encoding encoding;
static EVP_PKEY *key;

static double used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t encode(enum smtp_encoding how, const char *data, size_t len, char *to)
{
    struct smtp_encoder e = {.encoding = how};
    size_t written = smtp_encode(&e, data, len, to);
    return written + smtp_encode_end(&e, to + written);
}

static void encode_text(void)
{
    struct smtp_scan scan = {0};
    smtp_scan(&scan, text, text_len);
    smtp_scan_end(&scan);
    if (scan.nul) exit(1);
    if (encoding != SMTP_BASE64) {
        encode(encoding, text, text_len, out);
        return;
    }
    size_t len =
        encode(SMTP_7BIT, text, text_len, lines); /* base64 keeps the line ends that it gets */
    encode(encoding, lines, len, out);
}

static void sign(void)
{
    static const unsigned char header[512] = "from:ann@me.example\r\n";
    unsigned char signature[1024];
    size_t len = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = EVP_PKEY_base_id(key) == EVP_PKEY_RSA ? EVP_sha256() : NULL;
    if (EVP_DigestSignInit(ctx, NULL, md, NULL, key) != 1) exit(1);
    if (EVP_DigestSign(ctx, signature, &len, header, sizeof header) != 1) exit(1);
    EVP_MD_CTX_free(ctx);
}

static FILE *opened(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(1);
    return file;
}

static void read_text(const char *path)
{
    enum { ROOM = 8 << 20 };
    FILE *file = opened(path);
    text = malloc(ROOM);
    lines = malloc(ROOM);
    out = malloc(ROOM);
    if (text == NULL || lines == NULL || out == NULL) exit(1);
    text_len = fread(text, 1, ROOM / 4, file);
    fclose(file);
}

static enum smtp_encoding encoding_of(const char *name)
{
    if (strcmp(name, "7bit") == 0) return SMTP_7BIT;
    return strcmp(name, "base64") == 0 ? SMTP_BASE64 : SMTP_QUOTED_PRINTABLE;
}

int main(int argc, char **argv)
{
    char line[64];
    if (argc < 3) return 1;
    bool is_text = strcmp(argv[1], "text") == 0;
    if (is_text && argc > 3) {
        read_text(argv[2]);
        encoding = encoding_of(argv[3]);
    } else {
        key = PEM_read_PrivateKey(opened(argv[2]), NULL, NULL, NULL);
        if (key == NULL) return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        double begin = used();
        for (long i = strtol(line, NULL, 10); i > 0; i--)
            if (is_text)
                encode_text();
            else
                sign();
        printf("%.9f\n", used() - begin);
        fflush(stdout);
    }
    return 0;
}
