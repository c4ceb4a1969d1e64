/* tls_context.c - TLS settings: made once, used by many connections. */
#include "tls.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* Forgets what OpenSSL noted. Returns the errno value (EMFILE, ENOMEM) by which it said that this
 * machine lacks something; 0: it said no such thing. *newest: its newest error, 0 where there is
 * none; not the one by which SSL_CTX_use_... only says that another part of OpenSSL failed. */
static int take_errors(unsigned long *newest)
{
    int lack = 0;
    *newest = 0;
    for (unsigned long error; (error = ERR_get_error()) != 0;) {
        int reason = ERR_GET_REASON(error);
        if (ERR_SYSTEM_ERROR(error) && words_of_errno(reason, NULL) != NULL) lack = reason;
        if (!ERR_SYSTEM_ERROR(error) && reason == ERR_R_MALLOC_FAILURE) lack = ENOMEM;
        if (reason != ERR_R_PEM_LIB) *newest = error;
    }
    return lack;
}

const char *tls_blame(char text[SOCKET_TEXT_MAX], const char *word, const char *why)
{
    unsigned long newest;
    int lack = take_errors(&newest);
    return words_say(text, lack != 0 ? "system" : word, "%s", lack != 0 ? strerror(lack) : why);
}

/* Why OpenSSL could not use a file: its newest error, in plain words where they are known. The
 * oldest error is that of the system, if the file could not be read. */
static const char *why_unusable(unsigned long oldest, unsigned long newest)
{
    int lib = ERR_GET_LIB(newest);
    int reason = ERR_GET_REASON(newest);
    if (ERR_SYSTEM_ERROR(oldest)) return strerror(ERR_GET_REASON(oldest));
    if (lib == ERR_LIB_X509 && reason == X509_R_KEY_VALUES_MISMATCH)
        return "it is not the key of tls_cert";
    if (lib == ERR_LIB_SSL && reason == SSL_R_NO_CERTIFICATE_ASSIGNED) /* of another type */
        return "it is not the key of tls_cert";
    if (lib == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) return "it is not a PEM file";
    if (lib == ERR_LIB_PEM && reason == PEM_R_BAD_PASSWORD_READ) return "it is encrypted";
    return ERR_reason_error_string(newest);
}

static const char *fail(struct tls_context *c, const char *option, const char *what)
{
    unsigned long newest, oldest = ERR_peek_error();
    int lack = take_errors(&newest);
    if (lack != 0) return words_say(c->text, "system", "%s", strerror(lack));
    const char *why = why_unusable(oldest, newest);
    return words_say(c->text, option, "%s%s%s", what, why != NULL ? ": " : "",
                     why != NULL ? why : "");
}

/* Is it a hashed directory? It costs nothing until a certificate is looked up in it; a bundle is
 * parsed whole, 16 ms each time. */
static bool is_hashed(const char *path)
{
    bool found = false;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        ERR_raise(ERR_LIB_SYS, errno);
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && !found; entry = readdir(dir)) {
        size_t len = strlen(entry->d_name);
        found = len == 10 && strcmp(entry->d_name + 8, ".0") == 0;
    }
    closedir(dir);
    return found;
}

static const char *setting(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);
    return value != NULL && *value != '\0' ? value : otherwise;
}

/* The directory is read when a certificate is needed, the file at once, and it is large: it is read
 * where there is no such directory, or where the user names another file. */
static const char *load_system(struct tls_context *c)
{
    const char *path = setting(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    const char *own = X509_get_default_cert_file();
    const char *file = setting(X509_get_default_cert_file_env(), own);
    bool has_path = is_hashed(path) && SSL_CTX_load_verify_dir(c->ctx, path) == 1;
    if (has_path && strcmp(file, own) == 0) return NULL;
    if (SSL_CTX_load_verify_file(c->ctx, file) == 1 || has_path) return NULL;
    return tls_blame(c->text, "ca_file", "this machine has no certificates of authorities");
}

static const char *load_trust(struct tls_context *c, const struct tls_settings *settings)
{
    if (!settings->verify) return NULL;
    if (settings->ca_file == NULL && settings->ca_path == NULL) return load_system(c);
    if (settings->ca_file != NULL && SSL_CTX_load_verify_file(c->ctx, settings->ca_file) != 1)
        return fail(c, "ca_file", settings->ca_file);
    if (settings->ca_path == NULL) return NULL;
    if (!is_hashed(settings->ca_path))
        return fail(c, "ca_path", "it is not a directory made by openssl rehash");
    return SSL_CTX_load_verify_dir(c->ctx, settings->ca_path) == 1
               ? NULL
               : fail(c, "ca_path", settings->ca_path);
}

/* Asks for no pass phrase: a server has no terminal at which it could be typed. */
static int no_pass_phrase(char *buffer, int size, int writing, void *data)
{
    (void)buffer, (void)size, (void)writing, (void)data;
    return -1;
}

static const char *load_own(struct tls_context *c, const struct tls_settings *settings)
{
    if (settings->cert == NULL) return NULL;
    SSL_CTX_set_default_passwd_cb(c->ctx, no_pass_phrase);
    if (SSL_CTX_use_certificate_chain_file(c->ctx, settings->cert) != 1)
        return fail(c, "cert", settings->cert);
    if (SSL_CTX_use_PrivateKey_file(c->ctx, settings->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(c->ctx) != 1)
        return fail(c, "key", settings->key);
    return NULL;
}

/* Where memory lacks, OpenSSL may leave out a certificate of an authority, or a cipher, and report
 * success. Its list of errors shows it all the same. */
static const char *find_lack(struct tls_context *c)
{
    unsigned long newest;
    int lack = take_errors(&newest);
    return lack != 0 ? words_say(c->text, "system", "%s", strerror(lack)) : NULL;
}

const char *tls_context_open(struct tls_context *c, const struct tls_settings *settings)
{
    ERR_clear_error();
    c->verify = settings->verify;
    c->server = settings->server;
    c->ctx = SSL_CTX_new(settings->server ? TLS_server_method() : TLS_client_method());
    if (c->ctx == NULL) return fail(c, "system", "no memory for TLS");
    SSL_CTX_set_min_proto_version(c->ctx, settings->tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (settings->tls12_only) SSL_CTX_set_max_proto_version(c->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    if (!settings->server) {
        SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(c->ctx, tls_given_session);
        SSL_CTX_set_cert_cb(c->ctx, tls_asked, NULL);
    }
    SSL_CTX_set_verify(c->ctx, settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, tls_verified);
    const char *option = load_trust(c, settings);
    if (option == NULL) option = load_own(c, settings);
    return option != NULL ? option : find_lack(c);
}

const char *tls_context_pin(struct tls_context *c, const char *base64, size_t len)
{
    unsigned char key[TLS_PIN_LEN + 4];
    /* The decoder counts the padding as bytes. */
    if (len != 44 || base64[43] != '=' || base64[42] == '=' ||
        EVP_DecodeBlock(key, (const unsigned char *)base64, (int)len) != TLS_PIN_LEN + 1)
        return fail(c, "pin", "it is not a SHA-256 in base64");
    memcpy(c->pin, key, TLS_PIN_LEN);
    c->has_pin = true;
    return NULL;
}

void tls_context_close(struct tls_context *c)
{
    tls_session_forget(c, NULL);
    SSL_CTX_free(c->ctx);
    c->ctx = NULL;
}
