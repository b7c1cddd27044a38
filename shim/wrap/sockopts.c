/* SPDX-License-Identifier: MIT
 * Socket options beside the timeouts. See sockopts.h.
 */
#include "shim/wrap/sockopts.h"
#include "config/errnos.h"
#include "config/message.h"
#include "shim/policy/options.h"
#include "shim/wrap/complain.h"

#include <string.h>

/* Complains that the kernel refused OPTION with the errno ERROR, once a process. */
static void tell_refused(const struct tmo_sockopt *option, int error)
{
    static uint32_t told[TMO_SOCKOPT_ROWS / 32]; /* by row */
    uint32_t *word = &told[option->row / 32], bit = 1u << option->row % 32;
    if ((__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit) != 0)
        return;
    char value[TMO_SOCKOPT_TEXT];
    struct tmo_message what = {.len = 0};
    const char *name = tmo_errno_name(error);
    tmo_sockopt_print(option, value);
    tmo_message_adds(&what, "the kernel refused it: ");
    tmo_message_adds(&what, name != NULL ? name : "errno ");
    if (name == NULL)
        tmo_message_number(&what, (unsigned long)error);
    const struct tmo_config *cfg = &tmo_current.cfg; /* a rule's own are told as its file's */
    bool of_file = cfg->source[TMO_SET_SOCKOPT] == TMO_FROM_FILE ||
                   (tmo_current.rules != NULL && cfg->source[TMO_SET_SOCKOPT] == TMO_FROM_DEFAULT &&
                    cfg->has_file);
    tmo_complain(NULL, &(struct tmo_problem){.where = of_file ? cfg->text[TMO_SET_CONFIG]
                                                              : "SOCKTMO_SOCKOPT",
                                             .value = value,
                                             .what = what.text,
                                             .is_place = of_file});
}

void tmo_sockopts_made_by(int fd, struct tmo_slot *slot, bool is_new)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    unsigned which = TMO_OPTIONS_LISTED | (is_new ? 0u : TMO_OPTIONS_LATE);
    if ((tmo_slot_flags(slot) & TMO_SLOT_CONNECTED) != 0)
        which |= TMO_OPTIONS_CONNECTION;
    if (plan->options || plan->sockopts != NULL)
        tmo_options_set(fd, slot, plan, which, tell_refused);
}

static bool is_same_list(const struct tmo_plan *a, const struct tmo_plan *b)
{
    return a->sockopts_count == b->sockopts_count &&
           (a->sockopts_count == 0 ||
            memcmp(a->sockopts, b->sockopts, a->sockopts_count * sizeof(*a->sockopts)) == 0);
}

void tmo_sockopts_connect_by(int fd, struct tmo_slot *slot, unsigned before)
{
    const struct tmo_plan *plan = tmo_plan_of(slot);
    unsigned which = TMO_OPTIONS_CONNECTION;
    if (slot->plan != before && !is_same_list(plan, tmo_plan_at(before)))
        which |= TMO_OPTIONS_LISTED;
    if (plan->options || (which & TMO_OPTIONS_LISTED) != 0)
        tmo_options_set(fd, slot, plan, which, tell_refused);
}

void tmo_sockopts_follow_by(int fd, struct tmo_slot *slot, int level, int name)
{
    tmo_options_follow(fd, slot, tmo_plan_of(slot), level, name, tell_refused);
}
