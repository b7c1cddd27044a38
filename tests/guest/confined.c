/* SPDX-License-Identifier: MIT
 *
 * confined CASE: programs that gave up rights, system calls, memory or a part of what they see, and
 * go on with their connections.
 */
#include "tests/guest/confined-filters.h"
#include "tests/guest/confined-rights.h"

static const struct guest_case cases[] = {
    {"filter_data", case_filter_data},
    {"filter_known", case_filter_known},
    {"filter_eperm", case_filter_eperm},
    {"filter_enosys", case_filter_enosys},
    {"filter_waits", case_filter_waits},
    {"strict", case_strict},
    {"identity", case_identity},
    {"flags", case_flags},
    {"chroot", case_chroot},
    {"no_proc", case_no_proc},
    {"namespaces", case_namespaces},
    {"no_memory", case_no_memory},
    {"file_size", case_file_size},
    {"limits", case_limits},
};
GUEST_MAIN(cases)
