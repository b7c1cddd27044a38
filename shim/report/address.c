/* SPDX-License-Identifier: MIT
 * Socket addresses as text, without inet_ntop(3), which uses stdio. See address.h.
 * IPv6: RFC 5952 (lower case, the first longest run of zeros as ::); an IPv4-mapped address is the
 * IPv4 address that it stands for; scope as a number, RFC 4007. unix: unix(7).
 */
#include "shim/report/address.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static char *put_number(char *at, uint32_t n)
{
    char digits[10];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_port(char *at, in_port_t port)
{
    *at++ = ':';
    return put_number(at, ntohs(port));
}

static char *put_dotted(char *at, const unsigned char *bytes)
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = put_number(at, bytes[i]);
    }
    return at;
}

static char *put_group(char *at, unsigned group)
{
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = group >> shift & 15;
        begun = begun || digit != 0 || shift == 0;
        if (begun)
            *at++ = "0123456789abcdef"[digit];
    }
    return at;
}

/* The first longest run of two zero groups or more; *RET_LEN is 0 if there is none. */
static size_t longest_zeros(const unsigned *groups, size_t *ret_len)
{
    size_t best = 0, best_len = 1;
    for (size_t i = 0; i < 8; i++) {
        size_t len = 0;
        while (i + len < 8 && groups[i + len] == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
    }
    *ret_len = best_len > 1 ? best_len : 0;
    return best;
}

static char *put_ipv6(char *at, const unsigned char *bytes)
{
    unsigned groups[8];
    size_t zeros_len;

    for (size_t i = 0; i < 8; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    size_t zeros = longest_zeros(groups, &zeros_len);
    for (size_t i = 0; i < 8; i++) {
        if (zeros_len > 0 && i == zeros) {
            *at++ = ':';
            *at++ = ':';
            i += zeros_len - 1;
            continue;
        }
        if (i > 0 && at[-1] != ':')
            *at++ = ':';
        at = put_group(at, groups[i]);
    }
    return at;
}

static size_t print_in(const struct sockaddr_in *in, char *buf)
{
    char *at = put_dotted(buf, (const unsigned char *)&in->sin_addr);
    return (size_t)(put_port(at, in->sin_port) - buf);
}

static size_t print_in6(const struct sockaddr_in6 *in6, bool scoped, char *buf)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const unsigned char *bytes = (const unsigned char *)&in6->sin6_addr;
    char *at = buf;
    if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        at = put_dotted(at, bytes + sizeof(mapped));
        return (size_t)(put_port(at, in6->sin6_port) - buf);
    }
    *at++ = '[';
    at = put_ipv6(at, bytes);
    if (scoped && in6->sin6_scope_id != 0) {
        *at++ = '%';
        at = put_number(at, in6->sin6_scope_id);
    }
    *at++ = ']';
    return (size_t)(put_port(at, in6->sin6_port) - buf);
}

static size_t print_un(const struct sockaddr_un *un, size_t len, char *buf)
{
    char *at = buf;
    memcpy(at, "unix:", 5);
    at += 5;
    if (len > sizeof(un->sun_path))
        len = sizeof(un->sun_path);
    if (len == 0)
        return 5;
    const char *name = un->sun_path;
    if (name[0] == '\0') { /* abstract: all LEN bytes count */
        *at++ = '@';
        name++;
        len--;
    } else {
        len = strnlen(name, len);
        if (name[0] == '@') { /* a file in the current folder, not to be taken for the above */
            *at++ = '.';
            *at++ = '/';
        }
    }
    memcpy(at, name, len);
    return (size_t)(at - buf) + len;
}

size_t tmo_address_print(const struct tmo_address *address, char *buf)
{
    size_t len = address->len;
    if (len < sizeof(sa_family_t))
        return 0;
    switch (address->any.ss_family) {
    case AF_INET:
        if (len < sizeof(struct sockaddr_in))
            return 0;
        return print_in((const struct sockaddr_in *)(const void *)&address->any, buf);
    case AF_INET6: /* from before RFC 2553 it has no scope; the kernel takes it still */
        if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
            return 0;
        return print_in6((const struct sockaddr_in6 *)(const void *)&address->any,
                         len >= sizeof(struct sockaddr_in6), buf);
    case AF_UNIX:
        return print_un((const struct sockaddr_un *)(const void *)&address->any,
                        len - offsetof(struct sockaddr_un, sun_path), buf);
    default:
        return 0;
    }
}
