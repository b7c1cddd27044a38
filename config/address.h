/* SPDX-License-Identifier: MIT
 * IP addresses and blocks of them as operators write them. Layer: config (pure). Signal-safe.
 */
#ifndef TMO_CONFIG_ADDRESS_H
#define TMO_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block of addresses: those that have the first BITS bits. IPv4 stands in the last four bytes
 * behind ::ffff: (RFC 4291, 2.5.5.2), so that both ways to write one are the same. */
struct tmo_block {
    uint8_t addr[16];
    uint8_t bits; /* 0..128; for IPv4 96..128 */
    bool is4;
    uint32_t scope; /* interface index of a scoped address; 0: any */
};

/* Why a text is no address. */
enum tmo_block_error {
    TMO_BLOCK_OK,
    TMO_BLOCK_NOT,    /* does not look like one: perhaps a name */
    TMO_BLOCK_BAD,    /* looks like one, but is none */
    TMO_BLOCK_PREFIX, /* the part behind the slash is no length of a prefix */
};

/* Reads the LEN bytes at TEXT: 10.0.0.1, 10.0.0.0/8, ::1, [::1], [fe80::1%eth0], 2001:db8::/32,
 * [2001:db8::]/32. The bits behind the prefix are cleared. A scope is left to the caller:
 * *RET_SCOPE (LEN 0: none) is its text. */
enum tmo_block_error tmo_block_parse(const char *text, size_t len, struct tmo_block *ret,
                                     const char **ret_scope, size_t *ret_scope_len);

/* Whether ADDR (16 bytes, IPv4 as above) with the scope SCOPE (0: none) is in BLOCK. */
bool tmo_block_has(const struct tmo_block *block, const uint8_t *addr, uint32_t scope);

/* Whether ADDR is an IPv4 address. */
static inline bool tmo_block_is4(const uint8_t *addr)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return __builtin_memcmp(addr, mapped, sizeof(mapped)) == 0;
}

/* ADDR4 (network order) as 16 bytes. */
static inline void tmo_block_map4(uint32_t addr4, uint8_t *ret)
{
    __builtin_memset(ret, 0, 10);
    ret[10] = ret[11] = 0xff;
    __builtin_memcpy(ret + 12, &addr4, 4);
}

#endif
