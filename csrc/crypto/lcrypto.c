/* lcrypto.c - the module smtp.crypto: SCRAM, hashes; DKIM is in ldkim.c. Loaded where
 * something needs it.
 *
 * Nothing global: no initialisation of libcrypto, nothing registered with it. An object has its
 * metatable before it holds anything, so that the collector frees and wipes it in every case.
 * Failing functions return nil and a stable word. */
#include "lcrypto.h"

#include <limits.h>
#include <openssl/crypto.h>

#define SCRAM "smtp.Scram"

int lcrypto_result(lua_State *L, const char *word, const unsigned char *data, size_t len)
{
    if (word != NULL) return push_failure(L, word);
    lua_pushlstring(L, (const char *)data, len);
    return 1;
}

/* ---- SCRAM ---- */

/* Returns a field of at most `max` bytes; it is empty where it is not a string. */
static struct smtp_text short_field(lua_State *L, const char *key, size_t max)
{
    struct smtp_text text = text_field(L, key);
    luaL_argcheck(L, text.len <= max, 1, key);
    return text.data != NULL ? text : (struct smtp_text){"", 0};
}

/** crypto.scram{ hash=, username=, password=, authzid=, flag=, binding_type=, binding=, nonce=,
 *  iterations_min=, iterations_max= } -> exchange | nil, word. The names are prepared; hash is
 *  "SHA1", "SHA256", …; flag "n", "y" or "p" (RFC 5802 6). */
static int crypto_scram(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct scram_settings settings = {
        .hash = short_field(L, "hash", 15).data,
        .username = short_field(L, "username", SCRAM_NAME_MAX),
        .password = short_field(L, "password", INT_MAX),
        .authzid = short_field(L, "authzid", SCRAM_NAME_MAX),
        .flag = short_field(L, "flag", 1).data[0],
        .binding_type = short_field(L, "binding_type", 32),
        .binding = short_field(L, "binding", SCRAM_BINDING_MAX),
        .nonce = short_field(L, "nonce", SCRAM_NONCE_MAX),
        .iterations_min = (uint32_t)count_field(L, "iterations_min", INT_MAX),
        .iterations_max = (uint32_t)count_field(L, "iterations_max", INT_MAX),
    };
    luaL_argcheck(L, settings.nonce.len > 0, 1, "nonce");
    luaL_argcheck(L, settings.iterations_min > 0, 1, "iterations_min");
    luaL_argcheck(L, settings.flag != '\0' && strchr("nyp", settings.flag) != NULL, 1, "flag");
    struct scram *s = new_object(L, SCRAM, sizeof *s);
    const char *word = scram_begin(s, &settings);
    return word == NULL ? 1 : push_failure(L, word);
}

static struct scram *to_scram(lua_State *L)
{
    return self_arg(L, SCRAM);
}

/** exchange:first() -> the initial response */
static int scram_lua_first(lua_State *L)
{
    const struct scram *s = to_scram(L);
    lua_pushlstring(L, s->text, s->first_len);
    return 1;
}

/** exchange:step(challenge) -> answer, content | nil, word. After "again" call it again. */
static int scram_lua_step(lua_State *L)
{
    struct scram *s = to_scram(L);
    struct smtp_text challenge = text_arg(L, 2), answer;
    bool content;
    const char *word = scram_step(s, challenge, &answer, &content);
    if (word != NULL) return push_failure(L, word);
    lua_pushlstring(L, answer.data, answer.len);
    lua_pushboolean(L, content);
    return 2;
}

static int scram_lua_gc(lua_State *L)
{
    scram_drop(to_scram(L));
    return 0;
}

static const luaL_Reg scram_methods[] = {
    METHOD(scram_lua, first), METHOD(scram_lua, step), {NULL, NULL}};

/* ---- functions ---- */

/** crypto.saslprep(text) -> prepared | nil, "saslprep_unavailable" (there is no libidn here),
 * "saslprep" (the text contains what SASLprep prohibits) */
static int crypto_saslprep(lua_State *L)
{
    char *out;
    struct smtp_text text = text_arg(L, 1);
    size_t max = 12 * text.len + 1;  /* NFKC makes at most 11 octets of one */
    char *copy = new_secret(L, max); /* before `out` is ours: it may raise */
    const char *word = saslprep(text, &out);
    if (word != NULL) return push_failure(L, word);
    size_t len = strnlen(out, max - 1);
    memcpy(copy, out, len);
    saslprep_free(out);
    lua_pushlstring(L, copy, len);
    wipe(copy, len);
    return 1;
}

/** crypto.hmac(hash, key, data) -> bytes | nil, word */
static int crypto_lua_hmac(lua_State *L)
{
    unsigned char out[CRYPTO_HASH_MAX];
    size_t len = 0;
    const char *hash = luaL_checkstring(L, 1);
    const char *word = crypto_hmac(hash, text_arg(L, 2), text_arg(L, 3), out, &len);
    return lcrypto_result(L, word, out, len);
}

/** crypto.digest(hash, data) -> bytes | nil, word */
static int crypto_lua_digest(lua_State *L)
{
    unsigned char out[CRYPTO_HASH_MAX];
    size_t len = 0;
    const char *word = crypto_digest(luaL_checkstring(L, 1), text_arg(L, 2), out, &len);
    return lcrypto_result(L, word, out, len);
}

/** crypto.pbkdf2(hash, password, salt, iterations) -> bytes | nil, word: in one go, for servers */
static int crypto_pbkdf2(lua_State *L)
{
    const EVP_MD *md = EVP_get_digestbyname(luaL_checkstring(L, 1));
    struct smtp_text password = text_arg(L, 2), salt = text_arg(L, 3);
    size_t iterations = lcompat_count(L, 4, INT_MAX);
    luaL_argcheck(L, iterations > 0, 4, "iterations");
    luaL_argcheck(L, password.len <= INT_MAX && salt.len <= INT_MAX, 2, "too long");
    if (md == NULL) return push_failure(L, "crypto");
    int len = EVP_MD_get_size(md);
    unsigned char *out = new_secret(L, CRYPTO_HASH_MAX);
    int made = PKCS5_PBKDF2_HMAC(password.data, (int)password.len, (const unsigned char *)salt.data,
                                 (int)salt.len, (int)iterations, md, len, out);
    int count = lcrypto_result(L, made == 1 ? NULL : "crypto", out, (size_t)len);
    wipe(out, CRYPTO_HASH_MAX);
    return count;
}

static const luaL_Reg functions[] = {METHOD(crypto, scram),    METHOD(crypto, saslprep),
                                     METHOD(crypto_lua, hmac), METHOD(crypto_lua, digest),
                                     METHOD(crypto, pbkdf2),   {NULL, NULL}};

/* Has libcrypto the memory to begin? Where it has not, it is not called: it would crash. */
static bool can_begin(void)
{
    return OPENSSL_init_crypto(0, NULL) == 1 && OSSL_LIB_CTX_get0_global_default() != NULL;
}

/* The process may carry another OpenSSL than the one this was built for, as nginx builds do. It is
 * asked for its version before any other call; with a wrong one, none follows. */
LCOMPAT_OPEN(crypto)
{
    int major = (int)(OpenSSL_version_num() >> 28);
    if (major != OPENSSL_VERSION_MAJOR)
        return luaL_error(L, "smtp.crypto is built for OpenSSL %d, and this process has OpenSSL %d",
                          OPENSSL_VERSION_MAJOR, major);
    if (!can_begin()) return luaL_error(L, "not enough memory for libcrypto");
    new_class(L, SCRAM, scram_methods, scram_lua_gc);
    lcompat_newlib(L, functions);
    set_number(L, "name_max", SCRAM_NAME_MAX);
    ldkim_open(L);
    return 1;
}
