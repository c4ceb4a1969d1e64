/* ldkim.c - DKIM in smtp.crypto: a body that is being hashed, a key, the header of a signature. */
#include "lcrypto.h"

#include <limits.h>

#define BODY "smtp.DkimBody"
#define KEY  "smtp.DkimKey"

/* ---- bodies ---- */

/** crypto.dkim_body("relaxed" | "simple") -> body */
static int new_body(lua_State *L)
{
    static const char *const words[] = {"simple", "relaxed", NULL};
    bool relaxed = luaL_checkoption(L, 1, NULL, words) == 1;
    dkim_body_begin(new_object(L, BODY, sizeof(struct dkim_body)), relaxed);
    return 1;
}

static struct dkim_body *to_body(lua_State *L)
{
    return self_arg(L, BODY);
}

/** body:add(octets [, from [, len]]): of lines that end with CRLF, cut anywhere */
static int body_add(lua_State *L)
{
    struct dkim_body *b = to_body(L);
    dkim_body_add(b, slice_of(L, text_arg(L, 2)));
    return 0;
}

/** body:finish() -> SHA-256 | nil, word: once; nothing is added after it */
static int body_finish(lua_State *L)
{
    unsigned char hash[CRYPTO_HASH_LEN];
    const char *word = dkim_body_end(to_body(L), hash);
    return lcrypto_result(L, word, hash, sizeof hash);
}

static int body_gc(lua_State *L)
{
    dkim_body_drop(to_body(L));
    return 0;
}

static const luaL_Reg body_methods[] = {METHOD(body, add), METHOD(body, finish), {NULL, NULL}};

/* ---- keys ---- */

static struct dkim_key *to_key(lua_State *L)
{
    return self_arg(L, KEY);
}

/** crypto.dkim_key(pem) -> key | nil, word: see dkim_key_read */
static int new_key(lua_State *L)
{
    struct smtp_text pem = text_arg(L, 1);
    struct dkim_key *key = new_object(L, KEY, sizeof *key);
    const char *word = dkim_key_read(key, pem);
    return word == NULL ? 1 : push_failure(L, word);
}

/** key:algorithm() -> "rsa-sha256" | "ed25519-sha256" */
static int key_algorithm(lua_State *L)
{
    lua_pushstring(L, to_key(L)->algorithm);
    return 1;
}

/** key:sign(hash) -> signature of a SHA-256 | nil, word */
static int key_sign(lua_State *L)
{
    unsigned char signature[DKIM_SIGNATURE_MAX];
    size_t len;
    struct dkim_key *key = to_key(L);
    struct smtp_text hash = text_arg(L, 2);
    luaL_argcheck(L, hash.len == CRYPTO_HASH_LEN, 2, "expected a hash");
    const char *word = dkim_key_sign(key, (const unsigned char *)hash.data, signature, &len);
    return lcrypto_result(L, word, signature, len);
}

static int key_gc(lua_State *L)
{
    dkim_key_drop(to_key(L));
    return 0;
}

static const luaL_Reg key_methods[] = {METHOD(key, algorithm), METHOD(key, sign), {NULL, NULL}};

/* ---- signatures ---- */

/* Returns entry `i` of the table on top, which has to keep the string. */
static struct smtp_text entry(lua_State *L, size_t i)
{
    struct smtp_text text;
    lua_rawgeti(L, -1, (int)i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "expected strings");
    text.data = lua_tolstring(L, -1, &text.len);
    lua_pop(L, 1);
    return text;
}

/* Reads a list of pairs { name, raw }, which has to keep its strings. Pushes the memory of the
 * result. */
static struct dkim_headers headers_arg(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    size_t count = lcompat_rawlen(L, index);
    luaL_argcheck(L, count < INT_MAX / sizeof(struct dkim_field), index, "too long");
    struct dkim_field *list = lua_newuserdata(L, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        luaL_argcheck(L, lua_istable(L, -1), index, "expected pairs");
        list[i].name = entry(L, 1);
        list[i].raw = entry(L, 2);
        luaL_argcheck(L, list[i].raw.len > list[i].name.len, index, "expected headers");
        lua_pop(L, 1);
    }
    return (struct dkim_headers){list, count};
}

static struct dkim_key *key_field(lua_State *L)
{
    lua_getfield(L, 1, "key");
    struct dkim_key *key = luaL_checkudata(L, -1, KEY);
    lua_pop(L, 1);
    return key;
}

/** crypto.dkim_header(signer, headers, hash, time) -> the header DKIM-Signature | nil, word.
 *  signer: see dkim_options.check; headers: { { name, raw }, … }; hash: of the body. */
static int new_header(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 4);
    struct smtp_text headers_form = text_field(L, "headers"), body_form = text_field(L, "body");
    struct dkim_signer signer = {
        .key = key_field(L),
        .domain = text_field(L, "domain"),
        .selector = text_field(L, "selector"),
        .identity = text_field(L, "identity"),
        .relaxed_headers = headers_form.len == 7,
        .relaxed_body = body_form.len == 7,
        .time = luaL_checknumber(L, 4),
        .expires = (double)count_field(L, "expires", INT_MAX),
        .body_hash = text_arg(L, 3),
        .rules = text_field(L, "rules"),
    };
    luaL_argcheck(L, signer.domain.data != NULL, 1, "domain");
    luaL_argcheck(L, signer.selector.data != NULL, 1, "selector");
    luaL_argcheck(L, signer.body_hash.len == CRYPTO_HASH_LEN, 3, "expected a hash");
    struct dkim_headers headers = headers_arg(L, 2);
    size_t len = dkim_header_max(&signer, &headers);
    char *out = lua_newuserdata(L, len);
    const char *word = dkim_header(&signer, &headers, out, &len);
    return lcrypto_result(L, word, (unsigned char *)out, len);
}

static const luaL_Reg functions[] = {
    {"dkim_body", new_body}, {"dkim_key", new_key}, {"dkim_header", new_header}, {NULL, NULL}};

void ldkim_open(lua_State *L)
{
    new_class(L, BODY, body_methods, body_gc);
    new_class(L, KEY, key_methods, key_gc);
    lcompat_setfuncs(L, functions);
}
