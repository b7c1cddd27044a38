/* SPDX-License-Identifier: MIT
 * config/word: words in either case, comma lists, distances, globs.
 */
#include "config/word.h"
#include "tests/unit/check.h"

static const struct {
    const char *list;
    const char *items[4]; /* ended by NULL */
} lists[] = {
    {"", {""}},
    {"a", {"a"}},
    {"a,b", {"a", "b"}},
    {" a , b ", {"a", "b"}},
    {"a,,b", {"a", "", "b"}},
    {"a,", {"a", ""}},
    {",", {"", ""}},
    {"  ", {""}},
    {"a b,c", {"a b", "c"}},
};

static const struct {
    const char *a, *b;
    unsigned distance;
} distances[] = {
    {"RECV", "RECV", 0},
    {"recv", "RECV", 0},
    {"", "", 0},
    {"", "RECV", 4},
    {"RECV", "", 4},
    {"RECVE", "RECV", 1}, /* one more */
    {"REV", "RECV", 1},   /* one less */
    {"RACV", "RECV", 1},  /* another */
    {"RCEV", "RECV", 1},  /* swapped */
    {"ERCV", "RECV", 1},
    {"REVC", "RECV", 1},
    {"ERVC", "RECV", 2},
    {"kitten", "sitting", 3},
    {"LOG_FROMAT", "LOG_FORMAT", 1},
    {"0123456789012345678901234567890123456789", "0123456789012345678901234567890123456789", 0},
    {"01234567890123456789012345678901234567890", "0123456789", 99},
    {"0123456789", "01234567890123456789012345678901234567890", 99},
};

static const struct {
    const char *pattern, *name;
    bool hit;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"nginx", "nginx", true},
    {"nginx", "nginx2", false},
    {"nginx", "Nginx", false}, /* names of programs have a case */
    {"nginx*", "nginx", true},
    {"nginx*", "nginx-worker", true},
    {"*", "", true},
    {"*", "a/b", true},
    {"**", "abc", true},
    {"*.py", "x.py", true},
    {"*.py", ".py.py", true},
    {"*.py", "x.pyc", false},
    {"a*b*c", "a-b-b-c", true},
    {"a*b*c", "a-c-b", false},
    {"?", "a", true},
    {"?", "", false},
    {"??", "a", false},
    {"python3.?", "python3.1", true},
    {"python3.?", "python3.11", false},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[!a-c]", "d", true},
    {"[!a-c]", "b", false},
    {"[^a-c]", "d", true},
    {"[]]", "]", true},
    {"[!]]", "]", false},
    {"[!]]", "a", true},
    {"[a-]", "-", true},
    {"[a-]", "b", false},
    {"[-a]", "-", true},
    {"[\xc0-\xff]", "\xe9", true}, /* bytes, not letters */
    {"[a-\xff]", "\xe9", true},
    {"[a-\xff]", "A", false},
    {"[", "[", true}, /* a set that is not closed is itself */
    {"[a", "[a", true},
    {"[a", "a", false},
    {"a[", "a[", true},
    {"[]", "[]", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\?x", "?x", true},
    {"\\[a]", "[a]", true},
    {"\\\\", "\\", true},
    {"a\\", "a\\", true}, /* nothing behind it to take as it is */
    {"*[0-9]", "worker7", true},
    {"*\\*", "a*", true},
    {"*\\*", "ab", false},
    {"*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

static void check_lists(void)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const char *at = lists[i].list, *item;
        size_t len, k = 0;
        check_row = lists[i].list;
        while ((item = tmo_word_next(&at, &len)) != NULL && k < 4 && lists[i].items[k] != NULL) {
            CHECK_EQ(len, strlen(lists[i].items[k]));
            CHECK(memcmp(item, lists[i].items[k], len) == 0);
            k++;
        }
        CHECK(item == NULL);
        CHECK(k == 4 || lists[i].items[k] == NULL);
    }
    check_row = NULL;
}

int main(void)
{
    CHECK(tmo_word_is("off", 3, "off"));
    CHECK(tmo_word_is("oFf", 3, "OFF"));
    CHECK(tmo_word_is("offer", 3, "off"));
    CHECK(!tmo_word_is("off", 2, "off"));
    CHECK(!tmo_word_is("off", 3, "of"));
    CHECK(!tmo_word_is("offs", 4, "off"));
    CHECK(tmo_word_is("", 0, ""));
    CHECK(!tmo_word_is("", 0, "off"));
    CHECK(!tmo_word_is("@", 1, "`")); /* a bit apart, as the cases of a letter are */
    CHECK(!tmo_word_is("o\0f", 3, "o"));

    check_lists();

    for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
        check_row = distances[i].a;
        CHECK_EQ(tmo_word_distance(distances[i].a, strlen(distances[i].a), distances[i].b),
                 distances[i].distance);
    }
    for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
        check_row = globs[i].pattern;
        CHECK_EQ(tmo_word_glob(globs[i].pattern, strlen(globs[i].pattern), globs[i].name),
                 globs[i].hit);
    }
    check_row = NULL;

    CHECK(tmo_word_glob("curl,wget", 4, "curl")); /* the length counts */
    CHECK(tmo_word_glob_list("curl, wget*", "wget2"));
    CHECK(tmo_word_glob_list("curl, wget*", "curl"));
    CHECK(!tmo_word_glob_list("curl, wget*", "curly"));
    CHECK(!tmo_word_glob_list("", "curl"));
    CHECK(!tmo_word_glob_list("curl,", "wget"));
    return check_end();
}
