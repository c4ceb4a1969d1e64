/* ltls.c - the module smtp.tls: handshakes of sockets, what is known of a connection, settings. */
#include "../port.h"

#include "lsocket.h"
#include "tls.h"

#define CONTEXT "smtp.TlsContext"

static int shake(lua_State *L, struct smtp_socket *s, int context, const char *name)
{
    struct tls_context *c = luaL_checkudata(L, context, CONTEXT);
    if (s->tls == NULL) { /* the context must live as long as the connection */
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, context);
        lua_rawseti(L, -2, 1);
        lua_setuservalue(L, 1);
    }
    const char *word = stream_ended(s, tls_handshake(s, c, name));
    return push_result(L, word, s->text);
}

/** sock:sslhandshake(session, name, verify, context) -> true. `verify` is the context's. */
static int socket_sslhandshake(lua_State *L)
{
    struct smtp_socket *s = to_socket(L, 1);
    const char *name = luaL_optstring(L, 3, NULL);
    return shake(L, s, 5, name);
}

/** sock:sslaccept(context) -> true: the server's side */
static int socket_sslaccept(lua_State *L)
{
    return shake(L, to_socket(L, 1), 2, NULL);
}

/** sock:tlsinfo() -> { version, cipher, verified, resumed } | nil */
static int socket_tlsinfo(lua_State *L)
{
    const struct tls *t = to_socket(L, 1)->tls;
    if (t == NULL || !t->open) return 0;
    bool verified = t->context->verify && SSL_get_verify_result(t->ssl) == X509_V_OK;
    lua_createtable(L, 0, 4);
    set_string(L, "version", SSL_get_version(t->ssl));
    set_string(L, "cipher", SSL_get_cipher_name(t->ssl));
    set_flag(L, "verified", verified);
    set_flag(L, "resumed", SSL_session_reused(t->ssl) == 1);
    return 1;
}

/* Sets a time in seconds since 1970, which may be negative. */
static void set_time(lua_State *L, const char *key, const ASN1_TIME *time)
{
    lua_pushnumber(L, (lua_Number)certificate_seconds(time));
    lua_setfield(L, -2, key);
}

static void set_distinguished(lua_State *L, const char *key, const X509_NAME *name)
{
    char text[512];
    certificate_distinguished(name, text, sizeof text);
    set_string(L, key, text);
}

/** sock:certificate() -> { subject, issuer, names (a space between two), not_before, not_after,
 *  key_pin (see tls_pin) } of the peer | nil */
static int socket_certificate(lua_State *L)
{
    unsigned char digest[TLS_PIN_LEN];
    char text[4096];
    SSL *ssl = tls_connection(to_socket(L, 1));
    X509 *certificate = ssl != NULL ? SSL_get0_peer_certificate(ssl) : NULL;
    if (!certificate_key(certificate, digest)) return 0;
    lua_createtable(L, 0, 6);
    set_distinguished(L, "subject", X509_get_subject_name(certificate));
    set_distinguished(L, "issuer", X509_get_issuer_name(certificate));
    set_time(L, "not_before", X509_get0_notBefore(certificate));
    set_time(L, "not_after", X509_get0_notAfter(certificate));
    certificate_names(certificate, " ", text, sizeof text);
    set_string(L, "names", text);
    EVP_EncodeBlock((unsigned char *)text, digest, sizeof digest);
    set_string(L, "key_pin", text);
    return 1;
}

/** sock:verified_until() -> when the first certificate that was verified ends, in seconds since
 * 1970 | nil: none was */
static int socket_verified_until(lua_State *L)
{
    const struct tls *t = to_socket(L, 1)->tls;
    if (t == NULL || !t->open || !t->context->verify) return 0;
    lua_pushnumber(L, (lua_Number)tls_verified_until(t));
    return 1;
}

/** sock:channel_binding() -> type, bytes (RFC 5056) | nil: there is none */
static int socket_channel_binding(lua_State *L)
{
    struct tls_binding b;
    if (!tls_bind(to_socket(L, 1), &b)) return 0;
    lua_pushstring(L, b.type);
    lua_pushlstring(L, (const char *)b.data, b.len);
    return 2;
}

/** tls.context{ verify, ca_file, ca_path, cert, key, min_version, max_version, pin, server }
 *  -> context | nil, the option that is wrong, why. Versions are "1.2" and "1.3". */
static int module_context(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const char *min_version = text_field(L, "min_version").data;
    const char *max_version = text_field(L, "max_version").data;
    const char *pin = text_field(L, "pin").data;
    struct tls_settings settings = {
        .verify = flag_field(L, "verify"),
        .server = flag_field(L, "server"),
        .tls13_only = min_version != NULL && strcmp(min_version, "1.3") == 0,
        .tls12_only = max_version != NULL && strcmp(max_version, "1.2") == 0,
        .ca_file = text_field(L, "ca_file").data,
        .ca_path = text_field(L, "ca_path").data,
        .cert = text_field(L, "cert").data,
        .key = text_field(L, "key").data,
    };
    struct tls_context *c = new_object(L, CONTEXT, sizeof *c);
    const char *option = tls_context_open(c, &settings);
    if (option == NULL && pin != NULL) option = tls_context_pin(c, pin, strlen(pin));
    return option == NULL ? 1 : push_result(L, option, c->text);
}

static int context_gc(lua_State *L)
{
    tls_context_close(luaL_checkudata(L, 1, CONTEXT));
    return 0;
}

static const luaL_Reg methods[] = {METHOD(socket, sslhandshake),
                                   METHOD(socket, sslaccept),
                                   METHOD(socket, tlsinfo),
                                   METHOD(socket, certificate),
                                   METHOD(socket, verified_until),
                                   METHOD(socket, channel_binding),
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {METHOD(module, context), {NULL, NULL}};

/* Loads smtp.socket, whose class this module adds its methods to. */
static void load_socket(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "smtp.socket");
    lua_call(L, 1, 0);
    luaL_getmetatable(L, SOCKET);
    if (lua_istable(L, -1)) lua_getfield(L, -1, LAYOUT_FIELD);
    if (lua_tonumber(L, -1) != (lua_Number)SOCKET_LAYOUT)
        luaL_error(L, "smtp.socket and smtp.tls are of different versions");
    lua_settop(L, 0);
}

LCOMPAT_EXPORT int luaopen_smtp_tls(lua_State *L);

LCOMPAT_EXPORT int luaopen_smtp_tls(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    prevent_unloading(luaopen_smtp_tls); /* OpenSSL keeps pointers into it */
    load_socket(L);
    new_class(L, CONTEXT, none, context_gc);
    add_methods(L, SOCKET, methods);
    lcompat_newlib(L, functions);
    return 1;
}
