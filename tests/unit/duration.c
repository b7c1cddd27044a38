/* SPDX-License-Identifier: MIT
 * config/duration: what is read, what is refused, and that nothing is ever rounded down.
 */
#include "config/duration.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#define S  TMO_NS_PER_S
#define MS TMO_NS_PER_MS

static const struct {
    const char *text;
    int64_t ns;
} good[] = {
    {"0", 0},
    {"off", 0},
    {"OFF", 0},
    {"0s", 0},
    {"0.0ms", 0},
    {"000h", 0},
    {"1", S},
    {"90", 90 * S},
    {"007", 7 * S},
    {"250ms", 250 * MS},
    {"1s", S},
    {"2m", 120 * S},
    {"1h", 3600 * S},
    {"1.5s", 1500 * MS},
    {"1.5", 1500 * MS},
    {".5s", 500 * MS},
    {"0.5m", 30 * S},
    {"1.5h", 5400 * S},
    {"0.25ms", 250000},
    {"1.50000000000000000000000000000000000000s", 1500 * MS},
    {"0.000001s", 1000},
    {"0.000000001s", 1},
    {"0.1h", 360 * S},
    {"0.3m", 18 * S},
    {"9223372036.854775807s", INT64_MAX},
    {"9223372036854.775807ms", INT64_MAX},
    {"2562047h", 2562047LL * 3600 * S},
    /* Finer than a nanosecond: up, and never by more than one. */
    {"0.0000000001s", 1},
    {"0.0000001ms", 1},
    {"0.0000011ms", 2},
    {"0.00000000000000000000000000000000000001s", 1},
    {"0.9999999999s", S},
    {"1.0000000001s", S + 1},
    {"0.0000000000001h", 1},   /* 0.36 ns */
    {"0.000000000009h", 33},   /* 32.4 ns */
    {"0.00000000009m", 6},     /* 5.4 ns */
    {"0.00000000005m", 3},     /* 3 ns */
    {"0.000000000001h", 4},    /* 3.6 ns */
    {"0.0000000000025h", 9},   /* 9 ns */
    {"0.00000000000250h", 9},  /* the same */
    {"0.00000000000251h", 10}, /* 9.036 ns */
};

static const struct {
    const char *text;
    int error;
} bad[] = {
    {"", -EINVAL},
    {" ", -EINVAL},
    {" 1s", -EINVAL},
    {"1s ", -EINVAL},
    {"1 s", -EINVAL},
    {"-1", -EINVAL},
    {"+1", -EINVAL},
    {"-0", -EINVAL},
    {"s", -EINVAL},
    {".", -EINVAL},
    {"1.", -EINVAL},
    {"1.s", -EINVAL},
    {".s", -EINVAL},
    {"1,5s", -EINVAL},
    {"1.5.5s", -EINVAL},
    {"1e3", -EINVAL},
    {"0x10", -EINVAL},
    {"1S", -EINVAL},
    {"1sec", -EINVAL},
    {"1us", -EINVAL},
    {"1d", -EINVAL},
    {"1m30s", -EINVAL},
    {"2x", -EINVAL},
    {"1ms\n", -EINVAL},
    {"inf", -EINVAL},
    {"nan", -EINVAL},
    {"on", -EINVAL},
    {"of", -EINVAL},
    {"offf", -EINVAL},
    {"\xd9\xa1s", -EINVAL}, /* an Arabic-Indic digit */
    {"9223372036.854775808s", -ERANGE},
    {"9223372036.8547758071s", -ERANGE}, /* only its rounding is too much */
    {"9223372037", -ERANGE},
    {"9223372036854775807", -ERANGE},
    {"9223372036854775808", -ERANGE},
    {"2562048h", -ERANGE},
    {"99999999999999999999999999ms", -ERANGE},
    {"99999999999999999999999999x", -EINVAL},
};

static const struct {
    int64_t ns;
    const char *text;
} printed[] = {
    {0, "off"},
    {1, "0.000001ms"},
    {1000, "0.001ms"},
    {500000, "0.5ms"},
    {MS, "1ms"},
    {1500 * MS, "1500ms"},
    {2 * S, "2s"},
    {90 * S, "90s"},
    {120 * S, "2m"},
    {3600 * S, "1h"},
    {5400 * S, "90m"},
    {S + 1, "1000.000001ms"},
    {INT64_MAX, "9223372036854.775807ms"},
    {2562047LL * 3600 * S, "2562047h"},
};

static void check_parsing(void)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = -1;
        check_row = good[i].text;
        CHECK_EQ(tmo_duration_parse(good[i].text, strlen(good[i].text), &ns), 0);
        CHECK_EQ(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = -77;
        check_row = bad[i].text;
        CHECK_EQ(tmo_duration_parse(bad[i].text, strlen(bad[i].text), &ns), bad[i].error);
        CHECK_EQ(ns, -77); /* untouched */
    }
    check_row = NULL;
}

static void check_round_trip(int64_t ns)
{
    char buf[TMO_DURATION_TEXT];
    int64_t again = -1;
    size_t len = tmo_duration_print(ns, buf);

    check_row = buf;
    CHECK_EQ(len, strlen(buf));
    CHECK_EQ(tmo_duration_parse(buf, len, &again), 0);
    CHECK_EQ(again, ns);
    check_row = NULL;
}

int main(void)
{
    int64_t ns = -1;

    check_parsing();

    /* The length counts, not a NUL. */
    CHECK_EQ(tmo_duration_parse("12s", 2, &ns), 0);
    CHECK_EQ(ns, 12 * S);
    CHECK_EQ(tmo_duration_parse("1\0s", 3, &ns), -EINVAL);

    for (size_t i = 0; i < sizeof(printed) / sizeof(printed[0]); i++) {
        char buf[TMO_DURATION_TEXT];
        CHECK_EQ(tmo_duration_print(printed[i].ns, buf), strlen(printed[i].text));
        CHECK_TEXT(buf, printed[i].text);
        check_round_trip(printed[i].ns);
    }
    for (int64_t n = 1; n > 0 && n < INT64_MAX / 7; n = n * 7 - n / 3)
        check_round_trip(n);

    /* Where the decimal point is a comma, ours is a point all the same. */
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
    size_t i = 0;
    while (i < sizeof(locales) / sizeof(locales[0]) && setlocale(LC_ALL, locales[i]) == NULL)
        i++;
    if (i == sizeof(locales) / sizeof(locales[0]))
        puts("no locale with a decimal comma is installed: not tried in one");
    else
        check_parsing();
    return check_end();
}
