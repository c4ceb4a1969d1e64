/* address.c - socket addresses as people write them. */
#include "socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

/* "fe80::1%eth0": a link-local address needs to know its link (RFC 4007, 11). */
static bool parse_six(struct address *address, const char *host, int port)
{
    char name[SOCKET_NAME_LEN_MAX];
    struct sockaddr_in6 *in6 = &address->u.in6;
    snprintf(name, sizeof name, "%s", host);
    char *zone = strchr(name, '%');
    if (zone != NULL) *zone++ = '\0';
    if (inet_pton(AF_INET6, name, &in6->sin6_addr) != 1) return false;
    if (zone != NULL) {
        in6->sin6_scope_id = if_nametoindex(zone);
        if (in6->sin6_scope_id == 0) in6->sin6_scope_id = (uint32_t)strtoul(zone, NULL, 10);
        if (in6->sin6_scope_id == 0) return false;
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    address->len = sizeof *in6;
    return true;
}

bool address_parse(struct address *address, const char *host, int port)
{
    char bare[SOCKET_NAME_LEN_MAX];
    size_t len = strlen(host);
    if (len >= sizeof bare) return false;
    memset(address, 0, sizeof *address);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        memcpy(bare, host + 1, len - 2);
        bare[len - 2] = '\0';
        return parse_six(address, bare, port);
    }
    if (inet_pton(AF_INET, host, &address->u.in.sin_addr) == 1) {
        address->u.in.sin_family = AF_INET;
        address->u.in.sin_port = htons((uint16_t)port);
        address->len = sizeof address->u.in;
        return true;
    }
    return parse_six(address, host, port);
}

bool address_is_unix(const char *host)
{
    return strncmp(host, "unix:", 5) == 0;
}

const char *address_unix(struct address *address, const char *host, char text[SOCKET_TEXT_MAX])
{
    const char *path = host + 5;
    size_t len = strlen(path);
    memset(address, 0, sizeof *address);
    if (len == 0 || len >= sizeof address->u.un.sun_path)
        return words_say(text, "connect", "the path of a unix socket has 1 to %zu bytes, not %zu",
                         sizeof address->u.un.sun_path - 1, len);
    address->u.un.sun_family = AF_UNIX;
    memcpy(address->u.un.sun_path, path, len + 1);
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return NULL;
}

/* As inet_ntop does, at a fraction of its cost: an address is shown for each connection. */
static void format_four(struct in_addr address, char *host)
{
    const unsigned char *octets = (const unsigned char *)&address.s_addr;
    for (int i = 0; i < 4; i++) {
        if (octets[i] >= 100) *host++ = (char)('0' + octets[i] / 100);
        if (octets[i] >= 10) *host++ = (char)('0' + octets[i] / 10 % 10);
        *host++ = (char)('0' + octets[i] % 10);
        *host++ = '.';
    }
    host[-1] = '\0';
}

void address_format(const struct address *address, char host[SOCKET_NAME_LEN_MAX], int *port)
{
    host[0] = '\0';
    *port = 0;
    switch (address->u.any.sa_family) {
    case AF_INET:
        format_four(address->u.in.sin_addr, host);
        *port = ntohs(address->u.in.sin_port);
        return;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->u.in6.sin6_addr, host, SOCKET_NAME_LEN_MAX);
        *port = ntohs(address->u.in6.sin6_port);
        return;
    case AF_UNIX:
        /* A peer that never called bind has no path: then nothing but the family is filled in. */
        if (address->len > offsetof(struct sockaddr_un, sun_path)) {
            size_t len = address->len - offsetof(struct sockaddr_un, sun_path);
            snprintf(host, SOCKET_NAME_LEN_MAX, "%.*s", (int)len, address->u.un.sun_path);
        }
        return;
    default: return;
    }
}

void address_label(const struct address *address, char label[SOCKET_NAME_LEN_MAX + 16])
{
    char host[SOCKET_NAME_LEN_MAX];
    int port;
    address_format(address, host, &port);
    int family = address->u.any.sa_family;
    if (family == AF_INET || family == AF_INET6)
        snprintf(label, SOCKET_NAME_LEN_MAX + 16, family == AF_INET ? "%s:%d" : "[%s]:%d", host,
                 port);
    else
        snprintf(label, SOCKET_NAME_LEN_MAX + 16, "%s", host);
}
