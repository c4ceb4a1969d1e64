/* ldkim.c - DKIM in smtp.crypto: a body that is being hashed, a key. */
#include "lcrypto.h"

#define BODY "smtp.DkimBody"
#define KEY  "smtp.DkimKey"

/* ---- bodies ---- */

/** crypto.dkim_body("relaxed" | "simple") -> body | nil, word */
static int new_body(lua_State *L)
{
    static const char *const words[] = {"simple", "relaxed", NULL};
    bool relaxed = luaL_checkoption(L, 1, NULL, words) == 1;
    struct dkim_body *b = new_object(L, BODY, sizeof *b);
    const char *word = dkim_body_begin(b, relaxed);
    return word == NULL ? 1 : push_failure(L, word);
}

static struct dkim_body *to_body(lua_State *L)
{
    return self_arg(L, BODY);
}

/** body:add(octets): of lines that end with CRLF, cut anywhere */
static int body_add(lua_State *L)
{
    struct dkim_body *b = to_body(L);
    dkim_body_add(b, text_arg(L, 2));
    return 0;
}

/** body:finish() -> SHA-256 | nil, word: once; nothing is added after it */
static int body_finish(lua_State *L)
{
    unsigned char hash[CRYPTO_HASH_MAX];
    size_t len;
    struct dkim_body *b = to_body(L);
    const char *word = dkim_body_end(b, hash, &len);
    dkim_body_drop(b);
    return lcrypto_result(L, word, hash, len);
}

static int body_gc(lua_State *L)
{
    dkim_body_drop(to_body(L));
    return 0;
}

static const luaL_Reg body_methods[] = {METHOD(body, add), METHOD(body, finish), {NULL, NULL}};

/* ---- keys ---- */

static EVP_PKEY **to_key(lua_State *L)
{
    return self_arg(L, KEY);
}

/** crypto.dkim_key(pem) -> key | nil, word: see dkim_key_read */
static int new_key(lua_State *L)
{
    struct smtp_text pem = text_arg(L, 1);
    EVP_PKEY **key = new_object(L, KEY, sizeof(EVP_PKEY *));
    const char *word = dkim_key_read(pem, key);
    return word == NULL ? 1 : push_failure(L, word);
}

/** key:algorithm() -> "rsa-sha256" | "ed25519-sha256" */
static int key_algorithm(lua_State *L)
{
    lua_pushstring(L, dkim_key_algorithm(*to_key(L)));
    return 1;
}

/** key:sign(data) -> signature | nil, word */
static int key_sign(lua_State *L)
{
    unsigned char signature[DKIM_SIGNATURE_MAX];
    size_t len;
    EVP_PKEY *key = *to_key(L);
    const char *word = dkim_sign(key, text_arg(L, 2), signature, &len);
    return lcrypto_result(L, word, signature, len);
}

static int key_gc(lua_State *L)
{
    EVP_PKEY **key = to_key(L);
    EVP_PKEY_free(*key);
    *key = NULL;
    return 0;
}

static const luaL_Reg key_methods[] = {METHOD(key, algorithm), METHOD(key, sign), {NULL, NULL}};

static const luaL_Reg functions[] = {{"dkim_body", new_body}, {"dkim_key", new_key}, {NULL, NULL}};

void ldkim_open(lua_State *L)
{
    new_class(L, BODY, body_methods, body_gc);
    new_class(L, KEY, key_methods, key_gc);
    lcompat_setfuncs(L, functions);
}
