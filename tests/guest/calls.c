/* SPDX-License-Identifier: MIT
 *
 * calls CASE: what each call gives, to the last errno, for all that it can be handed.
 */
#include "tests/guest/calls.h"

#include "tests/guest/calls-ends.h"
#include "tests/guest/calls-memory.h"

#include "tests/guest/calls-flags.h"
#include "tests/guest/calls-options.h"
#include "tests/guest/calls-pointers.h"
#include "tests/guest/calls-states.h"
#include "tests/guest/calls-wrong.h"

static const struct guest_case cases[] = {
    {"wrong_fds", case_wrong_fds},
    {"twice", case_twice},
    {"half_a_buffer", case_half_a_buffer},
    {"half_a_target", case_half_a_target},
    {"lengths", case_lengths},
    {"vectors", case_vectors},
    {"cut_receive", case_cut_receive},
    {"cut_send", case_cut_send},
    {"states_before", case_states_before},
    {"states_connected", case_states_connected},
    {"states_after", case_states_after},
    {"addresses", case_addresses},
    {"flags", case_flags},
    {"files", case_files},
    {"raw", case_raw},
    {"fortified", case_fortified},
    {"families", case_families},
    {"timeo", case_timeo},
    {"own_timeo", case_own_timeo},
};
GUEST_MAIN(cases)
