#!/usr/bin/env python3
"""Record the laboratory sample again: real servers, ordinary clients.

    python3 lab.py FOLDER        writes FOLDER/lab.pcap.gz and FOLDER/lab.csv

Needs root, Linux 5.x or later and these Debian packages: iproute2 ethtool
tcpdump openssh-server openssh-client sshpass vsftpd nginx-light apache2-bin
dnsmasq-base chrony bind9-dnsutils bsdutils iputils-ping curl openssl python3-paramiko.

Everything runs inside private namespaces (network, mount, process, host name).
The network has no way out; accounts, keys and configuration lie on a file system
in memory; when this script or the first process inside ends, for whatever reason,
the kernel ends all the others and drops networks and mounts. Nothing runs longer
than LIMIT seconds. lab_net.py holds the network and the servers, lab_clients.py
the clients that no Debian program is, lab_flows.py who is who and the labels.
"""

import collections
import gzip
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import lab_flows
from lab_flows import ATTACKS, DESKS, KEYS_ONLY, NAMES, OUT_NAMES, OUT_SHELL, OUT_SHOP, OUT_WEB, SERVER, SMALL, SWEEP, VISITORS
from lab_net import PAGES, PASSWORD, RUN, accounts, files, inside, name, network, relay, servers, sh

SECONDS = 300
LIMIT = 345
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"


# --- what the clients do ----------------------------------------------------

class Lab:
    """Starts commands in namespaces, and counts them by outcome."""

    def __init__(self):
        self.began = time.monotonic()
        self.daemons, self.outcomes, self.lock = [], collections.Counter(), threading.Lock()

    def now(self):
        return time.monotonic() - self.began

    def until(self, seconds):
        time.sleep(max(0.0, seconds - self.now()))

    def start(self, address, *argv):
        log = open(RUN + "/log", "ab")
        self.daemons.append((argv[0], subprocess.Popen(
            inside(name(address), *argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log)))

    def call(self, address, *argv, seconds=30, **environment):
        try:
            code = subprocess.run(
                inside(name(address), *argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=seconds, check=False,
                env={**os.environ, "HOME": RUN, **environment}).returncode
        except subprocess.TimeoutExpired:
            code = "timeout"
        with self.lock:
            self.outcomes[os.path.basename(argv[0]), code] += 1

    def curl(self, address, *argv, **options):
        self.call(address, "curl", "-s", "-k", "--max-time", "25", *argv, **options)

    def ssh(self, address, target, *command, password=False, options=(), seconds=30, **environment):
        prefix = ["sshpass", "-p", PASSWORD] if password is True else ["sshpass", "-p", password] if password else []
        login = ["-o", "PubkeyAuthentication=no"] if password or environment else ["-i", RUN + "/user"]
        self.call(address, *prefix, "ssh", "-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                  *login, *options, "anna@" + target, *command, seconds=seconds, **environment)

    def client(self, address, kind, server, **numbers):
        self.call(address, PYTHON, os.path.join(HERE, "lab_clients.py"), kind, server,
                  *("%s=%d" % item for item in numbers.items()), seconds=200)


def urls(rng, base, low, high):
    return [base + rng.choice(("/page%d.html", "/object%d.bin")) % rng.randrange(PAGES) for _ in range(rng.randint(low, high))]


def saved(names):
    return [part for url in names for part in (url, "-o", "/dev/null")]


def browse(lab, at, rng, base):
    """A page and its objects, over up to six connections."""
    pages = urls(rng, base, 2, 9)
    lab.curl(at, "-o", "/dev/null", base + "/")
    lab.curl(at, "-Z", "--parallel-max", str(rng.randint(1, 6)), *saved(pages))


def read_on(lab, at, rng, base):
    """Page after page on one connection, with time to read."""
    lab.curl(at, "--rate", "%d/m" % rng.randint(6, 25), "--max-time", "70", *saved(urls(rng, base, 2, 6)), seconds=80)


def look_up(lab, at, rng):
    host = rng.choice(("www.example.com", "shop.example.net", "example.com", "absent%d.example.org" % rng.randrange(99),
                       "n%d.example.org" % rng.randrange(100, 160), "server.lab.example"))
    kind = rng.choice(("A", "A", "AAAA", "MX", "TXT"))
    lab.call(at, "dig", "+tries=1", "+short", "@" + rng.choice((NAMES, NAMES, NAMES, OUT_NAMES)), host, kind)


def desk(lab, at, rng, end):
    """An office computer: names, pages, shells, files, clock, pings."""
    base = lambda: rng.choice(("http", "https", "https")) + "://" + rng.choice(("www.example.com", "shop.example.net"))
    acts = (
        (18, lambda: look_up(lab, at, rng)),
        (12, lambda: browse(lab, at, rng, base())),
        (5, lambda: read_on(lab, at, rng, base())),
        (4, lambda: lab.curl(at, "-o", "/dev/null", base() + "/file%d.bin" % rng.choice((0, 0, 0, 1, 1, 2)))),
        (4, lambda: lab.curl(at, "-o", "/dev/null", "--data-binary", "@%s/www/file0.bin" % RUN, base() + "/upload")),
        (4, lambda: browse(lab, at, rng, "http://" + rng.choice((SERVER, KEYS_ONLY, SMALL)))),
        (4, lambda: lab.ssh(at, rng.choice((SERVER, KEYS_ONLY, OUT_SHELL)), "ls -la; sleep %.1f; cat /etc/services" % rng.uniform(0, 9))),
        (2, lambda: lab.ssh(at, SERVER, "uptime", password=True)),
        (2, lambda: lab.call(at, "scp", "-q", "-i", RUN + "/user", "-o", "StrictHostKeyChecking=no", "-o",
                             "UserKnownHostsFile=/dev/null", "anna@%s:file1.bin" % SERVER, "/dev/null")),
        (3, lambda: lab.curl(at, "-o", "/dev/null", "-u", "anna:" + PASSWORD,
                             "ftp://%s/file%d.bin" % (rng.choice((SERVER, OUT_SHELL)), rng.randrange(2)))),
        (2, lambda: lab.call(at, "ping", "-q", "-c", str(rng.randint(1, 5)), rng.choice((SERVER, OUT_WEB, OUT_SHOP)))),
        (2, lambda: lab.call(at, "chronyd", "-Q", "-t", "8", "-u", "root", "server %s iburst maxsamples 4" % OUT_NAMES,
                             "pidfile %s/clock-%s.pid" % (RUN, at))),
        (3, lambda: lab.call(at, "logger", "-d", "-n", SERVER, "-P", "514", "-t", "desk", "job %d done" % rng.randrange(999))),
    )
    act(lab, rng, end, acts, 6)


def visitor(lab, at, rng, end):
    """Somebody outside who uses the servers as they are meant to be used."""
    base = lambda: rng.choice(("http", "http", "https")) + "://" + rng.choice((SERVER, SERVER, KEYS_ONLY))
    acts = (
        (8, lambda: browse(lab, at, rng, base())),
        (3, lambda: browse(lab, at, rng, "http://" + SMALL)),
        (4, lambda: read_on(lab, at, rng, base())),
        (3, lambda: lab.curl(at, "-o", "/dev/null", base() + "/search?q=word%d" % rng.randrange(99))),
        (2, lambda: lab.curl(at, "-o", "/dev/null", base() + "/login", "--next", "-s", "-k", "-o", "/dev/null", "-L",
                             "-d", "user=anna&password=typo", base() + "/login")),
        (1, lambda: lab.curl(at, "-o", "/dev/null", "-u", "anna:" + PASSWORD, "ftp://%s/file1.bin" % SERVER)),
        (1, lambda: lab.ssh(at, SERVER, "id; sleep 2", password=True)),
        (1, lambda: lab.ssh(at, KEYS_ONLY, "tail -c 9000 /etc/services; sleep %.1f" % rng.uniform(0, 20))),
        (1, lambda: lab.curl(at, "-o", "/dev/null", base() + "/file%d.bin" % rng.randrange(2))),
    )
    act(lab, rng, end, acts, 11)


def act(lab, rng, end, acts, pause):
    weights, jobs = zip(*acts)
    while lab.now() < end:
        time.sleep(min(12, rng.expovariate(1 / pause)))
        if lab.now() < end:
            rng.choices(jobs, weights)[0]()


def idle_shell(lab, at, target, seconds):
    """A shell left open: only keep-alives every 25 s."""
    lab.ssh(at, target, "sleep %d" % seconds, options=("-o", "ServerAliveInterval=25"), seconds=seconds + 20)


def loop(lab, begin, count, pause, job):
    lab.until(begin)
    for _ in range(count):
        job()
        time.sleep(pause)


def parts(lab, rng):
    """Everything that happens, as (function, arguments)."""
    who = [attack[0] for attack in ATTACKS]
    word = lambda: "%08x" % rng.getrandbits(32)
    for index, at in enumerate(DESKS):
        # The last desk stops being an ordinary one before the sweep begins.
        end = SWEEP[0] - 22 if at == DESKS[-1] else SECONDS - 15
        for copy in range(2):
            yield desk, lab, at, random.Random(100 + index * 2 + copy), end
    for index, at in enumerate(VISITORS):
        yield visitor, lab, at, random.Random(200 + index), SECONDS - 15
    yield idle_shell, lab, DESKS[0], OUT_SHELL, SECONDS - 20
    yield idle_shell, lab, DESKS[1], SERVER, SECONDS - 40

    def at_time(begin, *client, **numbers):
        return (lambda: (lab.until(begin), lab.client(*client, **numbers))),
    yield at_time(15, who[0], "ssh_guess", KEYS_ONLY, connections=70, threads=2, attempts=6)
    yield at_time(40, who[1], "ssh_guess", SERVER, connections=24, threads=4, attempts=6)
    yield loop, lab, 60, 14, 0.5, lambda: lab.ssh(who[2], SERVER, password=word())
    yield loop, lab, 65, 8, 0.5, lambda: lab.ssh(
        who[2], SERVER, SSH_ASKPASS=RUN + "/askpass", SSH_ASKPASS_REQUIRE="force", options=("-o", "NumberOfPasswordPrompts=3"))
    for begin in (90, 91, 92):
        yield loop, lab, begin, 15, 0.2, lambda: lab.curl(
            who[3], "-o", "/dev/null", "-u", "anna:" + word(), "ftp://%s/" % SERVER)
    yield at_time(135, who[3], "ftp_guess", SERVER, connections=30, threads=4, attempts=3)
    yield loop, lab, 100, 80, 0.3, lambda: lab.curl(
        who[4], "-o", "/dev/null", "-u", "anna:" + word(), "ftp://%s/" % KEYS_ONLY)
    yield at_time(20, who[5], "slow_headers", SMALL, connections=38, seconds=100)
    yield at_time(30, who[6], "slow_headers", SMALL, connections=34, seconds=90)
    yield at_time(150, who[7], "burst_kept_alive", SERVER, connections=64, seconds=90)
    yield at_time(175, who[8], "burst_many_sockets", KEYS_ONLY, connections=180, workers=6, sockets=10)
    form = "http://%s/login" % SERVER
    for begin in (195, 197):
        yield loop, lab, begin, 40, 0.3, lambda: lab.curl(
            who[9], "-o", "/dev/null", form, "--next", "-s", "-L", "-o", "/dev/null", "-d",
            "user=admin&password=%s&Login=Login" % word(), form)
    yield at_time(SWEEP[0] + 3, who[10], "sweep", SERVER, connections=70, seed=5)
    yield at_time(SWEEP[0] + 18, who[11], "sweep", KEYS_ONLY, connections=60, seed=6)


# --- recording --------------------------------------------------------------

def record(target):
    """The first process of the namespaces; its end is the end of everything."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
    signal.alarm(LIMIT)
    for place in ("/run", "/var/log"):
        sh("mount", "-t", "tmpfs", "tmpfs", place)
    os.makedirs(RUN)
    socket.sethostname("desk")
    rng = random.Random(1)
    files(rng)
    accounts()
    network()
    lab = Lab()
    wire = subprocess.Popen(inside("wire", PYTHON, os.path.join(HERE, "lab.py"), "--relay"))
    servers(lab.start)
    time.sleep(3)
    for what, daemon in lab.daemons:
        if daemon.poll() is not None:
            with open(RUN + "/log") as log:
                sys.exit("%s did not stay up\n%s" % (what, log.read()))
    tap = subprocess.Popen(inside("gate", "tcpdump", "-q", "-i", "lan", "-s", "90", "-B", "8192", "-Z", "root",
                                  "-w", RUN + "/lab.pcap", "ip"))
    time.sleep(1.5)
    lab.began = time.monotonic()
    lab.call(DESKS[0], "ping", "-q", "-c", "1", NAMES)  # the first packet: label windows count from it
    threads = [threading.Thread(target=part[0], args=part[1:], daemon=True) for part in parts(lab, rng)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.1, SECONDS + 15 - lab.now()))
    tap.send_signal(signal.SIGINT)
    tap.wait(10)
    wire.kill()
    for (what, code), count in sorted(lab.outcomes.items(), key=str):
        print(what, code, count, sep="\t", file=sys.stderr)
    print("%.0f s, %d threads left" % (lab.now(), sum(t.is_alive() for t in threads)), file=sys.stderr)
    with open(RUN + "/lab.pcap", "rb") as file:
        target.write(file.read())
    target.flush()


def main():
    if sys.argv[1] == "--relay":
        return relay()
    if sys.argv[1] == "--record":
        with os.fdopen(int(sys.argv[2]), "wb") as target:
            return record(target)
    capture, rows = (os.path.join(sys.argv[1], file) for file in ("lab.pcap.gz", "lab.csv"))
    with tempfile.TemporaryFile() as target:
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--uts", "--fork",
                   "--kill-child", "--mount-proc", PYTHON, os.path.abspath(__file__), "--record", str(target.fileno())]
        subprocess.run(command, pass_fds=[target.fileno()], check=True, timeout=LIMIT + 15)
        target.seek(0)
        with open(capture, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
            packed.write(target.read())
    text, counts = lab_flows.table(capture)
    with open(rows, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    print(dict(sorted(counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
