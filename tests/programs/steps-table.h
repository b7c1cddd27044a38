/* SPDX-License-Identifier: MIT
 * The rest of steps.c: steps that move no data, and the table of all.
 */

/* --- looking and setting ---------------------------------------------------------------------- */

static long step_on(char **argument)
{
    here = place_of(argument[0]);
    return 0;
}

static long step_poll(char **argument)
{
    struct pollfd wait = {.fd = here->fd, .events = (short)number_of(poll_words, argument[0])};
    int n = poll(&wait, 1, number(argument[1], 0));

    for (const struct word *word = poll_words; word->name != NULL; word++)
        if ((wait.revents & word->number) != 0)
            snprintf(note + strlen(note), sizeof note - strlen(note), "%s%s",
                     note[0] != '\0' ? "+" : "", word->name);
    return n;
}

static long step_get(char **argument)
{
    const struct option_word *option = find_option(argument[0]);
    union {
        int number;
        struct timeval time;
        struct linger linger;
        char text[16];
    } value = {.text = ""};
    socklen_t length = option->kind == OPTION_INT       ? sizeof value.number
                       : option->kind == OPTION_TIMEVAL ? sizeof value.time
                       : option->kind == OPTION_LINGER  ? sizeof value.linger
                                                        : sizeof value.text - 1;
    int r = getsockopt(here->fd, option->level, option->number, &value, &length);

    snprintf(note, sizeof note, "%s", argument[0]);
    if (r != 0)
        return r;
    if (option->number == SO_ERROR && option->level == SOL_SOCKET)
        snprintf(note, sizeof note, "%s", value.number != 0 ? errno_name(value.number) : "none");
    if (option->kind == OPTION_TEXT) {
        snprintf(note, sizeof note, "%s %s", argument[0], value.text);
        return 0;
    }
    return option->kind == OPTION_INT ? value.number
           : option->kind == OPTION_TIMEVAL
               ? (long)value.time.tv_sec * 1000 + (long)value.time.tv_usec / 1000
           : value.linger.l_onoff != 0 ? value.linger.l_linger
                                       : -1;
}

static long step_set(char **argument)
{
    const struct option_word *option = find_option(argument[0]);
    int n = number(argument[1], 0);
    struct timeval time = {.tv_sec = n / 1000, .tv_usec = (n % 1000) * 1000L};
    struct linger linger = {.l_onoff = 1, .l_linger = n};

    if (option->kind == OPTION_TIMEVAL)
        return setsockopt(here->fd, option->level, option->number, &time, sizeof time);
    if (option->kind == OPTION_LINGER)
        return setsockopt(here->fd, option->level, option->number, &linger, sizeof linger);
    if (option->kind == OPTION_TEXT)
        return setsockopt(here->fd, option->level, option->number, argument[1],
                          (socklen_t)strlen(argument[1]));
    return setsockopt(here->fd, option->level, option->number, &n, sizeof n);
}

static long step_nonblock(char **argument)
{
    int on = 1;
    int flags;

    if (strcmp(argument[0], "ioctl") == 0)
        return ioctl(here->fd, FIONBIO, &on);
    flags = fcntl(here->fd, F_GETFL);
    return fcntl(here->fd, F_SETFL,
                 strcmp(argument[0], "off") == 0 ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

static long step_state(char **argument)
{
    unsigned char info[104] = {0};
    socklen_t length = sizeof info;
    int r = getsockopt(here->fd, IPPROTO_TCP, TCP_INFO, info, &length);

    (void)argument;
    return r == 0 ? info[0] : r;
}

static long step_queued(char **argument)
{
    int bytes = 0;
    int r = ioctl(here->fd, FIONREAD, &bytes);

    (void)argument;
    return r == 0 ? bytes : r;
}

static long step_shutdown(char **argument)
{
    return shutdown(here->fd, strcmp(argument[0], "rd") == 0   ? SHUT_RD
                              : strcmp(argument[0], "wr") == 0 ? SHUT_WR
                                                               : SHUT_RDWR);
}

static long step_close(char **argument)
{
    int fd = here->fd;

    (void)argument;
    here->fd = -1;
    return close(fd);
}

/* The current place has the copy from now on; the old number stays open. */
static long step_dup(char **argument)
{
    (void)argument;
    here->fd = dup(here->fd);
    return here->fd;
}

/* --- signals and processes ---------------------------------------------------------------------
 */

static long step_handler(char **argument)
{
    bool restart = argument[1] != NULL && strcmp(argument[1], "restart") == 0;

    return handle(number_of(signal_words, argument[0]), restart ? SA_RESTART : 0);
}

static long step_storm(char **argument)
{
    return disturb(number_of(signal_words, argument[0]), number(argument[1], 100),
                   number(argument[1] != NULL ? argument[2] : NULL, 1));
}

static long step_trace(char **argument)
{
    return disturb(0, number(argument[0], 100), number(argument[1], 1));
}

/* A child that takes all connections from the listener here, MS from now on, and keeps them. */
static long step_drain(char **argument)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        rest_ms(number(argument[0], 100));
        for (;;)
            accept(here->fd, NULL, NULL);
    }
    return pid < 0 ? -1 : 0;
}

static long step_calm(char **argument)
{
    int failed = await_disturbers();

    (void)argument;
    errno = ERRNO_BEFORE;
    return failed;
}

static long step_handled(char **argument)
{
    (void)argument;
    return signals_handled;
}

/* Leaves the steps up to the `join` that belongs to this one behind. */
static void skip_to_join(void)
{
    while (steps_left[1] != NULL && strcmp(steps_left[1], "join") != 0)
        steps_left++;
    if (steps_left[1] == NULL)
        wrong("no join after", *steps_left);
    steps_left++;
}

static long step_fork(char **argument)
{
    int status = 0;
    pid_t pid = fork();

    (void)argument;
    if (pid == 0) {
        is_child = true;
        disturber_count = 0;
        return 0;
    }
    waitpid(pid, &status, 0);
    skip_to_join();
    errno = ERRNO_BEFORE;
    snprintf(note, sizeof note, "joined");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static long step_refuse(char **argument)
{
    return refuse(number_of(refused_words, argument[0]), number(argument[1], EPERM));
}

static void do_step(const char *whole);

static void *do_until_join(void *first)
{
    for (char **step = first; *step != NULL && strcmp(*step, "join") != 0; step++)
        do_step(*step);
    return NULL;
}

static long step_thread(char **argument)
{
    pthread_t thread;

    (void)argument;
    if (pthread_create(&thread, NULL, do_until_join, steps_left + 1) != 0)
        return -1;
    pthread_join(thread, NULL);
    skip_to_join();
    errno = ERRNO_BEFORE;
    snprintf(note, sizeof note, "joined");
    return 0;
}

static long step_vfork_close(char **argument)
{
    int status = 0;
    pid_t pid = vfork();

    (void)argument;
    if (pid == 0) {
        close(here->fd);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static long step_exit(char **argument)
{
    exit(number(argument[0], 0));
}

static const struct step {
    const char *name;
    long (*take)(char **argument);
    bool needs_argument;
} steps[] = {
    {"on", step_on, true},
    {"socket", step_socket, true},
    {"pair", step_pair, true},
    {"connect", step_connect, true},
    {"dial", step_dial, true},
    {"send_to", step_send_to, true},
    {"connect_nowhere", step_connect_nowhere, false},
    {"listen", step_listen, false},
    {"accept", step_accept, true},
    {"accept4", step_accept4, true},
    {"sys_accept", step_sys_accept, true},
    {"adopt", step_adopt, true},
    {"give", step_give, true},
    {"donor", step_donor, true},
    {"fill", step_fill, false},
    {"loop", step_loop, true},
    {"save", step_save, true},
    {"got", step_got, true},
    {"poll", step_poll, true},
    {"wait", step_wait, true},
    {"nest", step_nest, true},
    {"ticks", step_ticks, true},
    {"glances", step_glances, true},
    {"follow", step_follow, true},
    {"upload", step_upload, true},
    {"rest", step_rest, true},
    {"halt", step_halt, true},
    {"get", step_get, true},
    {"set", step_set, true},
    {"nonblock", step_nonblock, true},
    {"state", step_state, false},
    {"queued", step_queued, false},
    {"shutdown", step_shutdown, true},
    {"close", step_close, false},
    {"dup", step_dup, false},
    {"handler", step_handler, true},
    {"storm", step_storm, true},
    {"trace", step_trace, true},
    {"drain", step_drain, true},
    {"calm", step_calm, false},
    {"handled", step_handled, false},
    {"refuse", step_refuse, true},
    {"fork", step_fork, false},
    {"thread", step_thread, false},
    {"vfork_close", step_vfork_close, false},
    {"exit", step_exit, false},
};

static const struct step *find_step(const char *name)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (strcmp(steps[i].name, name) == 0)
            return &steps[i];
    return NULL;
}
