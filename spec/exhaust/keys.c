/* keys.c - nothing of a private key stays in the memory of the process once it was dropped.
 *
 * Reads the key in the file argv[1], signs with it, drops it, and looks for the parts of the key in
 * all memory of the process that can be written. The other arguments are these parts, in hexadecimal
 * digits of the octets XOR 0x55, so that they are not found where they are looked up. Prints how many
 * parts were in memory before and after. */
#include "../../csrc/crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>

enum { MASK = 0x55, PART_MAX = 64 };

static char pem[DKIM_PEM_MAX];
static unsigned char part[PART_MAX];

static size_t read_part(const char *digits)
{
    size_t len = strlen(digits) / 2;
    for (size_t i = 0; i < len && i < PART_MAX; i++) {
        unsigned octet;
        sscanf(digits + 2 * i, "%2x", &octet);
        part[i] = (unsigned char)octet;
    }
    return len;
}

static bool is_between(const unsigned char *from, const unsigned char *to, size_t len)
{
    unsigned char first = part[0] ^ MASK;
    for (; (from = memchr(from, first, (size_t)(to - from))) != NULL; from++) {
        size_t same = 0;
        while (same < len && from + same < to && (from[same] ^ MASK) == part[same])
            same++;
        if (same == len) return true;
    }
    return false;
}

static bool is_in_memory(size_t len)
{
    char line[512], rights[8];
    unsigned long from, to;
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && rights[0] == 'r' &&
            rights[1] == 'w' && strstr(line, "[v") == NULL)
            found |= is_between((const unsigned char *)from, (const unsigned char *)to, len);
    if (maps != NULL) fclose(maps);
    return found;
}

static int count(int argc, char **argv)
{
    int found = 0;
    for (int i = 2; i < argc; i++)
        found += is_in_memory(read_part(argv[i]));
    return found;
}

static struct smtp_text read_pem(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) exit(1);
    setvbuf(file, NULL, _IONBF, 0);
    size_t len = fread(pem, 1, sizeof pem, file);
    fclose(file);
    return (struct smtp_text){pem, len};
}

int main(int argc, char **argv)
{
    struct dkim_key key = {0};
    unsigned char hash[CRYPTO_HASH_LEN] = {1}, signature[DKIM_SIGNATURE_MAX];
    size_t len;
    if (argc < 2 || dkim_key_read(&key, read_pem(argv[1])) != NULL) return 1;
    wipe(pem, sizeof pem);
    for (int i = 0; i < 3; i++)
        if (dkim_key_sign(&key, hash, signature, &len) != NULL) return 1;
    int before = count(argc, argv);
    dkim_key_drop(&key);
    printf("%d before, %d after\n", before, count(argc, argv));
    return 0;
}
