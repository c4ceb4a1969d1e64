/* cram_md5.c - CRAM-MD5 (RFC 2195): old, and used only where the user names it. */
#include "crypto.h"

const char *cram_md5_answer(struct smtp_text username, struct smtp_text password,
                            struct smtp_text challenge, char *out, size_t *out_len)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[CRYPTO_HASH_MAX];
    size_t digest_len, at = username.len;
    const char *word = crypto_hmac("MD5", password, challenge, digest, &digest_len);
    if (word != NULL) return word;
    if (at > 0) memcpy(out, username.data, at);
    out[at++] = ' ';
    for (size_t i = 0; i < 16; i++) {
        out[at++] = digits[digest[i] >> 4];
        out[at++] = digits[digest[i] & 15];
    }
    wipe(digest, sizeof digest);
    *out_len = at;
    return NULL;
}
