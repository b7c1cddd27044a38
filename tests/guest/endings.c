/* SPDX-License-Identifier: MIT
 *
 * endings CASE: what a program finds when a connection ends, or in what comes beside its bytes.
 */
#include "tests/guest/guest.h"

/* SO_ERROR is given once, and is 0 from then on. */
static void case_so_error(void)
{
    int ends[2], error = UNTOUCHED;
    socklen_t len = sizeof error;
    struct linger hard = {1, 0};

    guest_connect(ends);
    DO(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    DO(close(ends[1]));
    SAY("getsockopt", getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &len));
    printf("SO_ERROR %s\n", strerror(error));
    SAY("getsockopt again", getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &len));
    printf("SO_ERROR %s\n", strerror(error));
    SAY("recv", recv(ends[0], &error, sizeof error, 0));
}

static const struct guest_case cases[] = {
    {"so_error", case_so_error},
};
GUEST_MAIN(cases)
