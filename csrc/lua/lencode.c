/* lencode.c - the codecs in the module smtp.core. */
#include "../smtp.h"
#include "lsmtp.h"

#define ENCODER "smtp.Encoder"
#define SCANNER "smtp.Scanner"

/** core.base64(bytes) -> text without line ends */
static int core_base64(lua_State *L)
{
    struct smtp_text bytes = text_arg(L, 1);
    char *out = lua_newuserdata(L, bytes.len / 3 * 4 + 4); /* the collector's, if the next raises */
    lua_pushlstring(L, out, smtp_base64_encode(bytes.data, bytes.len, out));
    return 1;
}

/** core.base64_decode(text) -> bytes, nil where the text is not base64 */
static int core_base64_decode(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    char *out = lua_newuserdata(L, text.len / 4 * 3 + 1);
    size_t len;
    if (!smtp_base64_decode(text.data, text.len, out, &len)) return 0;
    lua_pushlstring(L, out, len);
    return 1;
}

/** core.is_utf8(text) -> is it well-formed UTF-8? */
static int core_is_utf8(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    lua_pushboolean(L, smtp_utf8_check(text.data, text.len));
    return 1;
}

/** core.scanner([ready]) -> scanner, for a message that comes bit by bit; `ready` as in struct
 *  smtp_scan */
static int core_scanner(lua_State *L)
{
    bool ready = lua_toboolean(L, 1);
    struct smtp_scan *scan = new_object(L, SCANNER, sizeof *scan);
    scan->ready = ready;
    return 1;
}

/* Returns what a text must not contain, as the reason of an error; NULL where none of that came
 * yet. */
static const char *unsendable(const struct smtp_scan *scan)
{
    if (scan->header.fault != NULL) return scan->header.fault;
    if (scan->nul) return smtp_errors[SMTP_ERROR_BODY_NUL].reason;
    if (scan->line_max > SMTP_BODY_LINE_MAX) return smtp_errors[SMTP_ERROR_BODY_LINE].reason;
    return NULL;
}

/** scanner:feed(piece [, from [, len]]) -> is the header over?, the reason why it cannot be sent as
 *  text, or nil. Both where `ready`. */
static int scanner_feed(lua_State *L)
{
    struct smtp_scan *scan = self_arg(L, SCANNER);
    struct smtp_text piece = slice_of(L, piece_arg(L, 2));
    smtp_scan(scan, piece.data, piece.len);
    lua_pushboolean(L, scan->header.over);
    lua_pushstring(L, unsendable(scan));
    return 2;
}

static const char *const encodings[] = {[SMTP_7BIT] = "7bit",
                                        [SMTP_QUOTED_PRINTABLE] = "quoted-printable",
                                        [SMTP_BASE64] = "base64",
                                        [SMTP_TEXT_BASE64] = "text as base64",
                                        NULL};

/** scanner:finish() -> what the whole message or body contains: { wire_len, line_max, special
 * (numbers of octets), nul, eightbit, control, bare, open, long_line, from_line, odd_header
 * (booleans), header_fault (a reason, or nil), encoding, fault }, see struct smtp_scan and, of a
 * text, core.encode_text */
static int scanner_finish(lua_State *L)
{
    struct smtp_scan *scan = self_arg(L, SCANNER);
    smtp_scan_end(scan);
    lua_createtable(L, 0, 14);
    set_number(L, "wire_len", scan->wire_len);
    set_number(L, "special", scan->special);
    set_number(L, "line_max", scan->line_max);
    set_flag(L, "nul", scan->nul);
    set_flag(L, "eightbit", scan->eightbit);
    set_flag(L, "control", scan->control);
    set_flag(L, "bare", scan->bare);
    set_flag(L, "open", scan->open);
    set_flag(L, "long_line", scan->line_max > SMTP_BODY_LINE_MAX);
    set_flag(L, "from_line", scan->from_line);
    set_string(L, "header_fault", scan->header.fault);
    set_flag(L, "odd_header", scan->odd_header);
    set_string(L, "encoding", encodings[smtp_scan_encoding(scan)]);
    set_string(L, "fault", smtp_scan_why_no_text(scan));
    return 1;
}

static const luaL_Reg scanner_methods[] = {
    METHOD(scanner, feed), METHOD(scanner, finish), {NULL, NULL}};

/* ---- core.encoder ---- */

/** core.encoder("7bit" | "quoted-printable" | "base64" | "text as base64") -> encoder: see struct
 *  smtp_encoder. Its user value holds a buffer for what it writes, kept from piece to piece. */
static int core_encoder(lua_State *L)
{
    int encoding = luaL_checkoption(L, 1, NULL, encodings);
    struct smtp_encoder *e = new_object(L, ENCODER, sizeof *e);
    e->encoding = (enum smtp_encoding)encoding;
    lua_newtable(L);
    lua_setuservalue(L, -2);
    return 1;
}

/* Pushes the encoder's buffer, and returns the room there. */
static char *room_for(lua_State *L, size_t len)
{
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, 1);
    char *room = buffer_room(L, -1, len);
    if (room != NULL) return room;
    lua_pop(L, 1);
    room = push_buffer(L, len);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 1);
    return room;
}

/** encoder:fill(piece [, from [, len]]) -> the encoder's buffer, with what can be written of the
 *  body so far, maybe nothing; until the next call */
static int encoder_fill(lua_State *L)
{
    struct smtp_encoder *e = self_arg(L, ENCODER);
    struct smtp_text piece = slice_of(L, piece_arg(L, 2));
    char *out = room_for(L, smtp_encode_max(e, piece.len));
    buffer_fill(L, -1, smtp_encode(e, piece.data, piece.len, out));
    return 1;
}

/** encoder:feed(piece [, from [, len]]) -> the same as a string */
static int encoder_feed(lua_State *L)
{
    struct smtp_encoder *e = self_arg(L, ENCODER);
    struct smtp_text piece = slice_of(L, piece_arg(L, 2));
    char *out = room_for(L, smtp_encode_max(e, piece.len));
    lua_pushlstring(L, out, smtp_encode(e, piece.data, piece.len, out));
    return 1;
}

/** encoder:finish() -> the rest, maybe "". The encoder is then as new, for another body. */
static int encoder_finish(lua_State *L)
{
    struct smtp_encoder *e = self_arg(L, ENCODER);
    char *out = room_for(L, smtp_encode_max(e, 0));
    lua_pushlstring(L, out, smtp_encode_end(e, out));
    return 1;
}

static const luaL_Reg encoder_methods[] = {
    METHOD(encoder, fill), METHOD(encoder, feed), METHOD(encoder, finish), {NULL, NULL}};

/* ---- whole bodies ---- */

static void push_encoded(lua_State *L, enum smtp_encoding encoding, struct smtp_text body)
{
    struct smtp_encoder e = {.encoding = encoding};
    char *out = lua_newuserdata(L, smtp_encode_max(&e, body.len + sizeof e.held));
    size_t out_len = smtp_encode(&e, body.data, body.len, out);
    out_len += smtp_encode_end(&e, out + out_len);
    lua_pushlstring(L, out, out_len);
    lua_remove(L, -2);
}

/** core.encode(bytes, encoding) -> the whole body, encoded as by core.encoder */
static int core_encode(lua_State *L)
{
    struct smtp_text body = text_arg(L, 1);
    int encoding = luaL_checkoption(L, 2, NULL, encodings);
    push_encoded(L, (enum smtp_encoding)encoding, body);
    return 1;
}

/** core.encode_text(text) -> encoding, body: the text with CRLF line ends as a body that is 7-bit,
 *  in the encoding of core.encoder that makes it shortest; or nil and "utf8" (it is not well-formed
 *  UTF-8) or "nul" (it contains a NUL). */
static int core_encode_text(lua_State *L)
{
    struct smtp_text text = text_arg(L, 1);
    struct smtp_scan scan = {0};
    smtp_scan(&scan, text.data, text.len);
    smtp_scan_end(&scan);
    if (smtp_scan_why_no_text(&scan) != NULL) return push_failure(L, smtp_scan_why_no_text(&scan));
    enum smtp_encoding encoding = smtp_scan_encoding(&scan);
    lua_pushstring(L, encodings[encoding]);
    if (encoding == SMTP_7BIT && !scan.bare)
        lua_pushvalue(L, 1);
    else
        push_encoded(L, encoding, text);
    return 2;
}

static const luaL_Reg functions[] = {METHOD(core, base64),        METHOD(core, is_utf8),
                                     METHOD(core, base64_decode), METHOD(core, scanner),
                                     METHOD(core, encoder),       METHOD(core, encode),
                                     METHOD(core, encode_text),   {NULL, NULL}};

void lencode_open(lua_State *L)
{
    new_class(L, ENCODER, encoder_methods, NULL);
    new_class(L, SCANNER, scanner_methods, NULL);
    lcompat_setfuncs(L, functions);
}
