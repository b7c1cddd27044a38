/* SPDX-License-Identifier: MIT
 * Names of addresses. See hosts.h.
 *
 * An entry's version is odd while it is written; who reads looks at it before and after. A writer
 * may never come to the end: a handler jumps out of it, its thread is ended, or the entry is the
 * copy in a forked child. So an entry that is still held after ABANDONED more names is taken over;
 * meanwhile the others of its set serve. Should the first writer only have been slow, what it still
 * writes does not agree with the sum, and nobody takes it for a name.
 */
#include "shim/track/hosts.h"
#include "shim/sys/libc.h"
#include "shim/track/self.h"

#include <string.h>

enum {
    SETS = 128,
    WAYS = 4,
    THREADS = 8,
    ABANDONED = 256, /* a writer needs a microsecond; each note comes from a look-up */
    TRIES = 3,
};

/* What an entry says, in words, so that none of them is ever read half: four of the address in
 * network order, one of the name's length and REVERSE, and the name. */
enum { ABOUT = 4, NAME = 5, FACT_WORDS = NAME + (TMO_HOST_MAX + 1) / 4 };
struct fact {
    uint32_t word[FACT_WORDS];
};
#define REVERSE 0x100u

static size_t len_of(uint32_t about)
{
    return about & 0xff;
}

/* How many words there are of it. */
static size_t words_of(uint32_t about)
{
    return NAME + (len_of(about) + 3) / 4;
}

struct entry {
    uint32_t version; /* 0: empty; else which note wrote it, doubled, and 1 while it does */
    uint32_t used;    /* the last note that said the same */
    uint32_t sum;     /* of the fact */
    uint32_t threads[THREADS]; /* by their lowest bits, who noted it, and no other name since */
    struct fact fact;
};
_Static_assert(sizeof(struct entry) == 320, "160 KiB in all");

TMO_SPARSE TMO_HIDDEN struct entry tmo_hosts_table[SETS][WAYS];

static uint32_t notes;  /* how many there were */
static uint32_t askers; /* how many threads noted something */

/* The calling thread among those; 0: none of them. A forked child has that of who forked. */
static __thread uint32_t me __attribute__((tls_model("initial-exec")));

/* --- a fact ---------------------------------------------------------------------------------- */

/* ADDR in four words. Returns whether it is one that has names. */
static bool put_address(uint32_t *words, const struct sockaddr *addr, socklen_t len)
{
    sa_family_t family;
    if (addr == NULL || len < offsetof(struct sockaddr_in, sin_zero))
        return false;
    memcpy(&family, (const char *)addr + offsetof(struct sockaddr, sa_family), sizeof(family));
    if (family == AF_INET) {
        words[0] = words[1] = 0;
        words[2] = htonl(0xffff);
        memcpy(&words[3], (const char *)addr + offsetof(struct sockaddr_in, sin_addr), 4);
        return true;
    }
    if (family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        memcpy(words, (const char *)addr + offsetof(struct sockaddr_in6, sin6_addr), 16);
        return true;
    }
    return false;
}

static bool is_digit(char c, bool hex)
{
    return (c >= '0' && c <= '9') || (hex && c >= 'a' && c <= 'f');
}

/* Whether NAME, in small letters, is an address: of the form that inet_aton(3) takes, or with a
 * colon. */
static bool is_address(const char *name, size_t len)
{
    if (memchr(name, ':', len) != NULL)
        return true;
    size_t at = 0;
    for (int parts = 1;; parts++) {
        bool hex = len - at > 2 && name[at] == '0' && name[at + 1] == 'x';
        size_t first = at += hex ? 2 : 0;
        while (at < len && is_digit(name[at], hex))
            at++;
        if (at == first)
            return false;
        if (at == len)
            return parts <= 4;
        if (name[at++] != '.')
            return false;
    }
}

/* Fills in the name. Returns whether it is one. */
static bool put_name(struct fact *fact, const char *name, size_t len, enum tmo_hosts_way way)
{
    if (len > TMO_HOST_MAX)
        return false;
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0)
        return false;
    char *text = (char *)&fact->word[NAME];
    fact->word[NAME + (len - 1) / 4] = 0; /* what the last word has too many */
    for (size_t i = 0; i < len; i++)
        text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    fact->word[ABOUT] = (uint32_t)len | (way == TMO_HOSTS_REVERSE ? REVERSE : 0);
    return !is_address(text, len);
}

static uint32_t mix(uint32_t hash, uint32_t word)
{
    hash ^= word; /* the first half of fmix32() in A. Appleby's MurmurHash3 */
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    return hash ^ hash >> 13;
}

static uint32_t sum_of(const struct fact *fact)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < words_of(fact->word[ABOUT]); i++)
        sum = mix(sum, fact->word[i]);
    return sum;
}

static struct entry *set_of(const uint32_t *address)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < ABOUT; i++)
        hash = mix(hash, address[i]);
    return tmo_hosts_table[hash % SETS];
}

/* --- an entry -------------------------------------------------------------------------------- */

static uint32_t get(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void put(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool is_whole(uint32_t version)
{
    return version != 0 && (version & 1) == 0;
}

static bool has_address(const struct entry *entry, const uint32_t *address)
{
    for (size_t i = 0; i < ABOUT; i++) {
        if (get(&entry->fact.word[i]) != address[i])
            return false;
    }
    return true;
}

static bool is_reverse(const struct entry *entry)
{
    return (get(&entry->fact.word[ABOUT]) & REVERSE) != 0;
}

static bool is_mine(const struct entry *entry)
{
    return me != 0 && get(&entry->threads[me % THREADS]) == me;
}

/* How long ago ENTRY was used, in notes. */
static uint32_t age_of(const struct entry *entry)
{
    uint32_t used = get(&entry->used), age = get(&notes) - used;
    return age <= INT32_MAX ? age : 0;
}

/* Whether ENTRY says what FACT does, whose sum is SUM. */
static bool says(const struct entry *entry, const struct fact *fact, uint32_t sum)
{
    uint32_t version = get(&entry->version);
    if (!is_whole(version) || get(&entry->sum) != sum)
        return false;
    for (size_t i = 0; i < words_of(fact->word[ABOUT]); i++) {
        if (get(&entry->fact.word[i]) != fact->word[i])
            return false;
    }
    return get(&entry->version) == version;
}

/* The name in ENTRY into BUF, as tmo_hosts_find() does; 0: it is not, or no longer, that of
 * ADDRESS. */
static size_t read_name(const struct entry *entry, const uint32_t *address, char *buf)
{
    uint32_t version = get(&entry->version);
    if (!is_whole(version))
        return 0;
    uint32_t about = get(&entry->fact.word[ABOUT]), sum = 0;
    for (size_t i = 0; i < words_of(about); i++) {
        uint32_t word = get(&entry->fact.word[i]);
        sum = mix(sum, word);
        if (i < ABOUT && word != address[i])
            return 0;
        if (i >= NAME)
            memcpy(buf + 4 * (i - NAME), &word, sizeof(word));
    }
    if (get(&entry->sum) != sum || get(&entry->version) != version)
        return 0;
    buf[len_of(about)] = '\0';
    return len_of(about);
}

/* --- notes ----------------------------------------------------------------------------------- */

/* The last name of that address that this thread looked up is in ENTRY; or no longer. */
static void mark(struct entry *entry)
{
    put(&entry->threads[me % THREADS], me);
}

static void unmark(struct entry *entry)
{
    uint32_t mine = me;
    __atomic_compare_exchange_n(&entry->threads[me % THREADS], &mine, 0, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

/* Returns whether one of SET says FACT already: that was used again then, as of the note STAMP. */
static bool note_again(struct entry *set, const struct fact *fact, uint32_t sum, uint32_t stamp)
{
    bool reverse = (fact->word[ABOUT] & REVERSE) != 0, known = false;
    for (struct entry *entry = set; entry < set + WAYS; entry++) {
        if (!known && says(entry, fact, sum)) {
            put(&entry->used, stamp);
            mark(entry);
            known = true;
        } else if (is_reverse(entry) == reverse && has_address(entry, fact->word)) {
            unmark(entry);
        }
    }
    return known;
}

/* How well ENTRY, of that VERSION, could be done without at the note STAMP; 0: it is held. */
static uint64_t dispensable(const struct entry *entry, uint32_t version, uint32_t stamp)
{
    if (version == 0)
        return UINT64_MAX;
    if (is_whole(version))
        return (uint64_t)is_reverse(entry) << 32 | (age_of(entry) + 1);
    int32_t since = (int32_t)((stamp << 1 | 1) - version); /* below 0: begun after us */
    return since > 2 * ABANDONED ? UINT64_MAX : 0;
}

/* Writes FACT into the one of SET that can best be done without. Returns whether that was so:
 * others may be at it. */
static bool note_anew(struct entry *set, const struct fact *fact, uint32_t sum, uint32_t stamp)
{
    struct entry *entry = NULL;
    uint32_t version = 0, writing = stamp << 1 | 1;
    uint64_t most = 0;
    for (struct entry *other = set; other < set + WAYS; other++) {
        uint32_t its_version = get(&other->version);
        uint64_t its = dispensable(other, its_version, stamp);
        if (its > most) {
            most = its;
            entry = other;
            version = its_version;
        }
    }
    if (entry == NULL || !__atomic_compare_exchange_n(&entry->version, &version, writing, false,
                                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    for (size_t i = 0; i < THREADS; i++)
        put(&entry->threads[i], 0);
    for (size_t i = 0; i < words_of(fact->word[ABOUT]); i++)
        put(&entry->fact.word[i], fact->word[i]);
    put(&entry->sum, sum);
    put(&entry->used, stamp);
    mark(entry);
    /* Unless it was taken over. */
    __atomic_compare_exchange_n(&entry->version, &writing, stamp << 1, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
    return true;
}

void tmo_hosts_note(const char *name, size_t len, enum tmo_hosts_way way,
                    const struct sockaddr *addr, socklen_t addr_len)
{
    struct fact fact;
    if (!put_address(fact.word, addr, addr_len) || !put_name(&fact, name, len, way) ||
        tmo_self_borrowed())
        return;
    while (me == 0)
        me = __atomic_add_fetch(&askers, 1, __ATOMIC_RELAXED);
    uint32_t stamp = 0, sum = sum_of(&fact);
    while (stamp << 1 == 0)
        stamp = __atomic_add_fetch(&notes, 1, __ATOMIC_RELAXED);
    struct entry *set = set_of(fact.word);
    for (int i = 0; i < TRIES; i++) {
        if (note_again(set, &fact, sum, stamp) || note_anew(set, &fact, sum, stamp))
            return;
    }
}

size_t tmo_hosts_find(const struct sockaddr *addr, socklen_t addr_len, char *buf)
{
    uint32_t address[ABOUT];
    if (get(&notes) == 0 || !put_address(address, addr, addr_len))
        return 0;
    const struct entry *set = set_of(address);
    unsigned left = (1u << WAYS) - 1;
    while (left != 0) {
        uint64_t most = 0;
        unsigned best = 0;
        for (unsigned way = 0; way < WAYS; way++) {
            const struct entry *entry = &set[way];
            if ((left & 1u << way) == 0)
                continue;
            if (!has_address(entry, address)) {
                left &= ~(1u << way);
                continue;
            }
            uint64_t worth = (uint64_t)!is_reverse(entry) << 33 | (uint64_t)is_mine(entry) << 32 |
                             (UINT32_MAX - age_of(entry));
            if (worth > most) {
                most = worth;
                best = way;
            }
        }
        size_t len = most != 0 ? read_name(&set[best], address, buf) : 0;
        if (len > 0)
            return len;
        left &= ~(1u << best);
    }
    return 0;
}
