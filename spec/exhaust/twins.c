/* twins.c - what is done in steps of AVX2 does what its twin does octet by octet, or line by line.
 *
 * Lines: every text of five CR, LF, dots, letters, NULs and octets over 127, at the beginning, and
 * at the borders of steps and blocks; and random ones with lines of every length. Base64: all
 * groups of three octets, and lines. Texts are in blocks of their exact size, so that a sanitizer
 * detects an access outside.
 *
 *    twins           says "the same" and ends with 0, or shows the first that differs.
 */
#include "../../csrc/text/base64.c"
#include "../../csrc/text/lines.c"

#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__) && defined(__GNUC__)
enum { MIDDLE_LEN = 5, KINDS = 6, TEXT_MAX = 4096 };

static void fail(const char *what, const char *data, size_t len)
{
    printf("%s:", what);
    for (size_t i = 0; i < len; i++)
        printf(" %02X", (unsigned char)data[i]);
    putchar('\n');
    exit(1);
}

static char *exact(const char *data, size_t len)
{
    char *copy = malloc(len + (len == 0));
    if (copy == NULL) exit(2);
    return memcpy(copy, data, len);
}

/* ---- lines ---- */

static void compare_lines(const char *text, size_t len)
{
    char *data = exact(text, len);
    for (int how = 0; how < 9; how++) {
        /* What is not allowed, what is allowed, and what is known to be there. */
        int high = how % 3, dots = how / 3;
        struct smtp_lines a = {.eightbit = high > 0,
                               .dots = dots > 0,
                               .has_eightbit = high == 2,
                               .has_dots = dots == 2},
                          b = a;
        bool same = take_lines(data, len, &a) == take_all(data, len, &b);
        if (!same || a.has_dots != b.has_dots || a.has_eightbit != b.has_eightbit)
            fail("lines", text, len);
    }
    free(data);
}

/* The text with these five octets is between letters, or after lines, and before lines. */
static void compare_middle(char *text, size_t at, size_t number, size_t len)
{
    static const char kinds[KINDS] = {'\r', '\n', '.', 'x', '\0', (char)0xC3};
    for (size_t i = 0; i < MIDDLE_LEN; i++, number /= KINDS)
        text[at + i] = kinds[number % KINDS];
    compare_lines(text, len);
}

static void compare_middles(size_t at)
{
    char letters[TEXT_MAX], lines[TEXT_MAX];
    size_t count = 1, len = at + MIDDLE_LEN;
    for (int i = 0; i < MIDDLE_LEN; i++)
        count *= KINDS;
    for (size_t i = 0; len < 2 * BLOCK + STEP; i = (i + 1) % 71)
        letters[len++] = "x\r\n.xx\r\n"[i < 8 ? i : 0];
    memset(letters, 'x', at);
    memcpy(lines, letters, len);
    if (at >= 2) memcpy(lines + at - 2, "\r\n", 2);
    for (size_t number = 0; number < count; number++) {
        compare_middle(letters, at, number, len);
        if (at >= 2) compare_middle(lines, at, number, len);
    }
}

static void compare_all_middles(void)
{
    static const size_t borders[] = {0, STEP, BLOCK};
    for (size_t i = 0; i < sizeof borders / sizeof *borders; i++)
        for (size_t at = borders[i] < MIDDLE_LEN ? 0 : borders[i] - MIDDLE_LEN - 1;
             at <= borders[i] + 1; at++)
            compare_middles(at);
}

/* The same numbers in each run. */
static size_t random_below(size_t bound)
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(state >> 33) % bound;
}

static void compare_random_lines(void)
{
    char text[TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        size_t len = 0, end = random_below(TEXT_MAX - 1100);
        while (len < end) {
            size_t line_len = random_below(20) == 0 ? 990 + random_below(20) : random_below(100);
            memset(text + len, 'x', line_len);
            if (line_len > 0 && random_below(9) == 0) text[len] = '.';
            if (line_len > 0 && random_below(9) == 0)
                text[len + random_below(line_len)] = (char)200;
            if (line_len > 0 && random_below(99) == 0) text[len + random_below(line_len)] = '\0';
            memcpy(text + len + line_len, random_below(99) == 0 ? "\n\n" : "\r\n", 2);
            len += line_len + 2;
        }
        compare_lines(text, len - (len == 0 ? 0 : random_below(3)));
    }
}

/* ---- base64 ---- */

static void compare_groups(void)
{
    enum { GROUPS = 8 };
    char in[3 * GROUPS], fast[4 * GROUPS], slow[4 * GROUPS];
    for (uint32_t first = 0; first < 1u << 24; first += GROUPS) {
        for (uint32_t i = 0; i < GROUPS; i++) {
            /* In each place all of them, some time. */
            uint32_t group = (first + i * 0x222223u) & 0xFFFFFF;
            in[3 * i] = (char)(group >> 16);
            in[3 * i + 1] = (char)(group >> 8);
            in[3 * i + 2] = (char)group;
        }
        encode_24(in, fast);
        smtp_base64_encode(in, sizeof in, slow);
        if (memcmp(fast, slow, sizeof slow) != 0) fail("base64", in, sizeof in);
    }
}

static void compare_base64_lines(void)
{
    char text[8 * SMTP_BASE64_LINE_LEN];
    for (size_t count = 0; count <= 8; count++) {
        size_t len = count * SMTP_BASE64_LINE_LEN, out_len = count * 78;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)random_below(256);
        char *in = exact(text, len), *fast = malloc(out_len + 1), *slow = malloc(out_len + 1);
        if (fast == NULL || slow == NULL) exit(2);
        encode_lines_fast(in, count, fast);
        encode_lines(in, count, slow);
        if (memcmp(fast, slow, out_len) != 0) fail("lines of base64", text, len);
        free(in);
        free(fast);
        free(slow);
    }
}

int main(void)
{
    if (__builtin_cpu_supports("avx2")) {
        compare_all_middles();
        compare_random_lines();
        compare_groups();
        compare_base64_lines();
    }
    puts("the same");
    return 0;
}
#else
int main(void)
{
    puts("the same");
    return 0;
}
#endif
