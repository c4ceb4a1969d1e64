/* transcript.c - what was said and heard, for people: the newest lines, without secrets and without
 * the octets of messages.
 *
 * A ring of octets contains them as they came, "C: EHLO me" after "S: 220 mx", each ended by LF.
 * Characters that a terminal should not get are replaced when a line is read. */
#include "session.h"

enum { LINE_SHOWN_MAX = 1024, COUNT_MAX = 64 };

static void keep(struct smtp_session *s, const char *data, size_t len)
{
    while (len > 0) {
        size_t at = (size_t)(s->shown_len % SMTP_TRANSCRIPT_MAX);
        size_t some = SMTP_TRANSCRIPT_MAX - at < len ? SMTP_TRANSCRIPT_MAX - at : len;
        memcpy(s->shown + at, data, some);
        s->shown_len += some;
        data += some;
        len -= some;
    }
}

static char octet_at(const struct smtp_session *s, uint64_t at)
{
    return s->shown[at % SMTP_TRANSCRIPT_MAX];
}

/* Writes how many octets of messages have left, as a line of its own kind (M), which is shown as
 * one of ours. Returns the length. */
static size_t tell_octets(char out[COUNT_MAX], uint64_t count)
{
    static const char before[] = "M: (", after[] = " bytes of the message)\n";
    size_t len = sizeof before - 1;
    memcpy(out, before, len);
    len += smtp_decimal(out + len, count);
    memcpy(out + len, after, sizeof after - 1);
    return len + sizeof after - 1;
}

static void end_line(struct smtp_session *s)
{
    if (s->shown_side == '\0') return;
    if (s->shown_line_len > LINE_SHOWN_MAX + (s->shown_cr ? 1u : 0u))
        keep(s, SMTP_CUT_MARK, sizeof SMTP_CUT_MARK - 1);
    keep(s, "\n", 1);
    s->shown_side = '\0';
    s->shown_whole = s->shown_len;
}

/* The octets of a message are reported once, before what follows them. */
static void begin_line(struct smtp_session *s, char side)
{
    char head[] = {side, ':', ' '}, count[COUNT_MAX];
    if (s->shown_side == side) return;
    end_line(s);
    if (s->shown_octets > 0) {
        keep(s, count, tell_octets(count, s->shown_octets));
        s->shown_octets = 0;
    }
    keep(s, head, sizeof head);
    s->shown_side = side;
    s->shown_line_len = 0;
    s->shown_cr = false;
}

/* Shows a whole line at once, as most lines come. Returns whether there was nothing else to it. */
static bool show_whole(struct smtp_session *s, char side, const char *data, size_t line_len)
{
    size_t at = (size_t)(s->shown_len % SMTP_TRANSCRIPT_MAX), len = line_len + 4;
    if (s->shown_side != '\0' || s->shown_octets > 0) return false;
    if (line_len > LINE_SHOWN_MAX || len > SMTP_TRANSCRIPT_MAX - at) return false;
    memcpy(s->shown + at, (const char[]){side, ':', ' '}, 3);
    memcpy(s->shown + at + 3, data, line_len);
    s->shown[at + 3 + line_len] = '\n';
    s->shown_whole = s->shown_len += len;
    return true;
}

/* Shows what comes up to and with the next line end. Returns how many bytes were taken. */
static size_t show_line(struct smtp_session *s, char side, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t line_len = end == NULL ? len : (size_t)(end - data);
    if (end != NULL && show_whole(s, side, data, line_len)) return line_len + 1;
    begin_line(s, side);
    size_t room = s->shown_line_len < LINE_SHOWN_MAX ? LINE_SHOWN_MAX - s->shown_line_len : 0;
    keep(s, data, line_len < room ? line_len : room);
    s->shown_line_len += line_len;
    if (line_len > 0) s->shown_cr = data[line_len - 1] == '\r';
    if (end == NULL) return line_len;
    end_line(s);
    return line_len + 1;
}

/* Shows "AUTH PLAIN [secret]". An answer is all secret, except for the one that cancels (RFC 4954
 * 4). */
static void show_secret(struct smtp_session *s, const char *data, size_t len)
{
    size_t open_len = len == 3 && *data == '*' ? 1 : 0;
    if (len > 5 && memcmp(data, "AUTH ", 5) == 0)
        for (open_len = 5; data[open_len] > ' ';)
            open_len++;
    begin_line(s, 'C');
    keep(s, data, open_len);
    if (open_len == 0)
        keep(s, "[secret]", 8);
    else if (data[open_len] == ' ')
        keep(s, " [secret]", 9);
    end_line(s);
}

/* Returns how many octets of a message follow the command: n after "BDAT n". */
static uint64_t octets_behind(const char *command)
{
    uint64_t count = 0;
    if (memcmp(command, "BDAT ", 5) != 0) return 0;
    for (command += 5; *command >= '0' && *command <= '9'; command++)
        count = 10 * count + (uint64_t)(*command - '0');
    return count;
}

/* Shows the command that begins to leave, in front of all that is unsent. Returns its length. */
static size_t show_command(struct smtp_session *s, const char *data, size_t len)
{
    if (s->out_secret) {
        show_secret(s, data, len);
        return len;
    }
    if (len > 5) s->octets_left = octets_behind(data);
    return show_line(s, 'C', data, len);
}

static size_t take_up_to(uint64_t *count, size_t len)
{
    size_t taken = *count < len ? (size_t)*count : len;
    *count -= taken;
    return taken;
}

/* Notes that `len` of the unsent octets leave now. A command is shown whole once its first octet
 * has left. The octets of the harmless chunk are of no message. */
void transcript_said(struct smtp_session *s, size_t len)
{
    const char *at = s->out + s->out_at, *end = s->out + s->out_len;
    while (len > 0) {
        size_t taken = take_up_to(&s->shown_ahead, len);
        if (taken == 0) {
            taken = take_up_to(&s->octets_left, len);
            if (!s->on_trial) s->shown_octets += taken;
            if (!s->on_trial) s->status.octets += taken;
        }
        if (taken == 0) s->shown_ahead = show_command(s, at, (size_t)(end - at));
        at += taken;
        len -= taken;
    }
}

void transcript_heard(struct smtp_session *s, const char *data, size_t len)
{
    while (len > 0) {
        size_t taken = show_line(s, 'S', data, len);
        data += taken;
        len -= taken;
    }
}

void transcript_note(struct smtp_session *s, const char *words)
{
    begin_line(s, '*');
    keep(s, words, strlen(words));
    end_line(s);
}

/* ---- for a reader ---- */

/* Returns where the oldest line begins that is still kept whole, at `at` or after it. */
static uint64_t kept_from(const struct smtp_session *s, uint64_t at)
{
    if (s->shown_len <= at + SMTP_TRANSCRIPT_MAX) return at;
    at = s->shown_len - SMTP_TRANSCRIPT_MAX;
    while (at < s->shown_len && octet_at(s, at++) != '\n')
        continue;
    return at;
}

/* Writes the octets from `at` to `end`, printable, without the CR of a line end. Returns the
 * length. */
static size_t copy(const struct smtp_session *s, uint64_t at, uint64_t end, char *out)
{
    char *to = out;
    for (; at < end; at++) {
        char c = octet_at(s, at);
        if (c != '\r' || (at + 1 < end && octet_at(s, at + 1) != '\n')) *to++ = c;
    }
    return smtp_printable(out, (size_t)(to - out), out, (size_t)(to - out));
}

/* Returns the stage that a command belongs to, as SMTP_STEPS names it. A line without a verb
 * answers a SASL challenge. */
static const char *stage_of_command(struct smtp_text command)
{
    static const char commands[][2][9] = {{"EHLO", "ehlo"},     {"HELO", "ehlo"}, {"LHLO", "ehlo"},
                                          {"STAR", "starttls"}, {"MAIL", "mail"}, {"RCPT", "rcpt"},
                                          {"DATA", "data"},     {"BDAT", "data"}, {"RSET", "rset"},
                                          {"NOOP", "noop"},     {"VRFY", "vrfy"}, {"QUIT", "quit"}};
    if (command.len == 1 && *command.data == '.') return "final";
    for (size_t i = 0; command.len >= 4 && i < sizeof commands / sizeof *commands; i++)
        if (memcmp(command.data, commands[i][0], 4) == 0) return commands[i][1];
    return "auth";
}

bool smtp_transcript_next(const struct smtp_session *s, uint64_t *mark, char *room,
                          struct smtp_line *line)
{
    uint64_t at = kept_from(s, *mark), end = at;
    while (end < s->shown_whole && octet_at(s, end) != '\n')
        end++;
    if (end >= s->shown_whole) return false;
    *mark = end + 1;
    *line = (struct smtp_line){.side = octet_at(s, at)};
    line->text = (struct smtp_text){room, copy(s, at + 3, end, room)};
    for (const char *digit = room + 1; line->side == 'M' && *digit != ' '; digit++)
        line->bytes = 10 * line->bytes + (uint64_t)(*digit - '0');
    if (line->side == 'C') line->stage = stage_of_command(line->text);
    return true;
}

size_t smtp_transcript(const struct smtp_session *s, char *out, bool *open)
{
    uint64_t at = kept_from(s, 0);
    size_t len = copy(s, at, s->shown_len, out);
    for (size_t i = 0; i < len; i++)
        if (out[i] == 'M' && (i == 0 || out[i - 1] == '\n')) out[i] = 'C';
    *open = s->shown_side != '\0';
    if (*open) out[len++] = '\n';
    if (s->shown_octets > 0) {
        size_t told_at = len;
        len += tell_octets(out + len, s->shown_octets);
        out[told_at] = 'C';
    }
    return len;
}
