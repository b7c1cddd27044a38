# SPDX-License-Identifier: MIT
#
# terminal.py CMD...: runs CMD as the foreground job of a small shell on a terminal of its own. CMD is to
# print "pausing PID" when it is ready. Then ^Z is typed, the job continued as fg does it, ^C typed,
# and SIGUSR1 sent to CMD itself. Prints what befell the job, and what it wrote.
import os
import pty
import select
import signal
import sys
import time

TIME = 10


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(child) for child in f.read().split()]


def all_in_state(pids, wanted):
    end = time.monotonic() + TIME
    while any(state(pid) != wanted for pid in pids) and time.monotonic() < end:
        time.sleep(0.01)
    return "".join(state(pid) for pid in pids)


def shell(report, cmd):
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(cmd[0], cmd)
    os.write(report, f"job {job}\n".encode())
    _, status = os.waitpid(job, os.WUNTRACED)
    stop = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else -status
    states = all_in_state([job] + children(job), "T")
    os.write(report, f"stopped {stop} {states}\n".encode())
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
    _, status = os.waitpid(job, 0)
    os.write(report, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def main():
    reports, report = os.pipe()
    pid, master = pty.fork()
    if pid == 0:
        shell(report, sys.argv[1:])
    os.close(report)
    said, told = b"", b""
    open_fds = [master, reports]

    def until(have, what):
        nonlocal said, told
        end = time.monotonic() + TIME
        while what not in have() and time.monotonic() < end and open_fds:
            for fd in select.select(open_fds, [], [], 0.1)[0]:
                try:
                    piece = os.read(fd, 4096)
                except OSError:  # EIO: nobody has the terminal any more
                    piece = b""
                if not piece:
                    open_fds.remove(fd)
                elif fd == master:
                    said += piece
                else:
                    told += piece

    until(lambda: said, b"pausing ")
    until(lambda: told, b"job ")
    os.write(master, b"\x1a")
    until(lambda: told, b"stopped ")
    until(lambda: said, b"signal 18")
    os.write(master, b"\x03")
    until(lambda: said, b"signal 02")
    os.kill(int(told.split()[1]), signal.SIGUSR1)
    until(lambda: told, b"ended ")
    print(told.decode().partition("\n")[2], end="")
    for line in said.decode().replace("\r", "").splitlines():
        if line.startswith(("signal", "^")) and "signal" in line:
            print(line[line.index("signal"):])


main()
