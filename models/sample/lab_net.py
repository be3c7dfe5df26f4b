"""The laboratory of lab.py: its network, its servers and their accounts.

    outside hosts == bridge -- delay -- gateway == bridge (recorded) == inside hosts

network() wants to be alone in a fresh network namespace, accounts() in a fresh
mount namespace: both change what they find and undo nothing. The stretch marked
delay is relay(), for kernels without netem: it holds a packet for 9, 20 or 45 ms
by outside network, with jitter, in order, and loses 1 in 1,000.
"""

import collections
import os
import random
import select
import shutil
import socket
import subprocess
import time

from lab_flows import ATTACKS, DESKS, KEYS_ONLY, NAMES, OUT_NAMES, OUT_SHELL, OUT_SHOP, OUT_WEB, SERVER, SMALL, VISITORS

RUN = "/run/lab"
GATES = ("192.0.2.1", "198.51.100.1", "203.0.113.1")
DELAY = {"192.0.2": 0.009, "198.51.100": 0.020, "203.0.113": 0.045}
PASSWORD = "correct horse 7"
PAGES = 24
# The small server can be exhausted by the few connections of a small recording:
# this many requests at a time and connections waiting, where a stock Apache of
# 2018 took 150 and 128. It sets no time limit to a request head.
WORKERS, QUEUE = 25, 20


# --- network ----------------------------------------------------------------

def sh(*argv, check=True):
    return subprocess.run(argv, check=check, capture_output=True, text=True).stdout


def name(address):
    return "h" + address.replace(".", "-")


def inside(space, *argv):
    return ["ip", "netns", "exec", space, *argv]


def cable(one, left, other, right, number):
    """A pair of Ethernet ports without offloads: the wire sees what is sent."""
    sh("ip", "link", "add", left, "netns", one, "type", "veth", "peer", "name", right, "netns", other)
    for space, port, side in ((one, left, 1), (other, right, 2)):
        sh("ip", "-n", space, "link", "set", "dev", port, "address", "02:00:00:00:%02x:%02x" % (side, number))
        sh(*inside(space, "ethtool", "-K", port, "tx", "off", "gso", "off", "tso", "off", "gro", "off"), check=False)
        sh("ip", "-n", space, "link", "set", "dev", port, "up")


def space(label, **settings):
    sh("ip", "netns", "add", label)
    sh("ip", "-n", label, "link", "set", "lo", "up")
    values = {"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1, **settings}
    sh(*inside(label, "sysctl", "-q", "-w", *("%s=%s" % item for item in values.items())))


def network():
    outside = [OUT_WEB, OUT_SHOP, OUT_NAMES, OUT_SHELL, *VISITORS]
    outside += [a[0] for a in ATTACKS if not a[0].startswith("10.")]
    space("gate", **{"net.ipv4.ip_forward": 1})
    space("wire")
    for where, bridge in (("gate", "lan"), ("wire", "wan")):
        sh("ip", "-n", where, "link", "add", bridge, "type", "bridge")
        sh("ip", "-n", where, "link", "set", "dev", bridge, "address", "02:00:00:00:03:0%d" % (bridge == "wan"))
        sh("ip", "-n", where, "link", "set", "dev", bridge, "up")
    cable("gate", "uplink", "wire", "near", 1)
    cable("wire", "far", "wire", "mid", 2)
    sh("ip", "-n", "wire", "link", "set", "mid", "master", "wan")
    for gate in GATES:
        sh("ip", "-n", "gate", "addr", "add", gate + "/24", "dev", "uplink")
    sh("ip", "-n", "gate", "addr", "add", "10.20.0.1/16", "dev", "lan")
    for number, address in enumerate([SERVER, KEYS_ONLY, SMALL, NAMES, *DESKS, *outside], 3):
        home = address.startswith("10.")
        # Desks behave like Windows and macOS: TTL 128, and half of them ask for ECN.
        settings = {"net.core.somaxconn": QUEUE} if address == SMALL else {}
        if address in DESKS:
            settings = {"net.ipv4.ip_default_ttl": 128, "net.ipv4.tcp_ecn": (DESKS.index(address) + 1) % 2}
        space(name(address), **settings)
        cable("gate" if home else "wire", "p%d" % number, name(address), "eth0", number)
        sh("ip", "-n", "gate" if home else "wire", "link", "set", "p%d" % number, "master", "lan" if home else "wan")
        sh("ip", "-n", name(address), "addr", "add", address + ("/16" if home else "/24"), "dev", "eth0")
        gate = "10.20.0.1" if home else address.rsplit(".", 1)[0] + ".1"
        sh("ip", "-n", name(address), "route", "add", "default", "via", gate)


def relay():
    """Carry frames between two ports, later. Runs until it is killed."""
    rng = random.Random(4)
    ends = []
    for port in ("near", "far"):
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        end.bind((port, 0))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        end.setblocking(False)
        ends.append(end)
    poll = select.epoll()
    for end in ends:
        poll.register(end, select.EPOLLIN)
    queues = collections.defaultdict(collections.deque)
    while True:
        due = [q[0][0] for q in queues.values() if q]
        poll.poll(max(0.0, min(due) - time.monotonic()) if due else 1.0)
        for way, end in enumerate(ends):
            for _ in range(64):
                try:
                    frame, address = end.recvfrom(2048)
                except BlockingIOError:
                    break
                if address[2] == socket.PACKET_OUTGOING:
                    continue
                at = 26 if way else 30  # the address outside: source coming in, target going out
                net = ".".join(str(b) for b in frame[at:at + 3]) if frame[12:14] == b"\x08\x00" else ""
                if net in DELAY and rng.random() < 0.001:
                    continue
                wait = DELAY.get(net, 0.001)
                ready = time.monotonic() + max(wait * 0.9, rng.gauss(wait, wait * 0.08))
                queue = queues[way, net]
                queue.append((max(ready, queue[-1][0]) if queue else ready, frame))
        now = time.monotonic()
        for (way, _), queue in queues.items():
            while queue and queue[0][0] <= now:
                try:
                    ends[1 - way].send(queue.popleft()[1])
                except OSError:
                    pass


# --- servers ----------------------------------------------------------------

def write(path, text, mode=0o644):
    path = os.path.join(RUN, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb" if isinstance(text, bytes) else "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def files(rng):
    """What the servers serve: pages of 1 to 16 kB, objects of up to 60 kB."""
    for number in range(PAGES):
        write("www/page%d.html" % number, rng.randbytes(rng.randint(500, 8_000)).hex())
        write("www/object%d.bin" % number, rng.randbytes(int(rng.lognormvariate(8.7, 1)) % 60_000 + 200))
    write("www/index.html", rng.randbytes(3_000).hex())
    write("www/search.html", rng.randbytes(450).hex())
    write("www/login.html", rng.randbytes(900).hex())
    for number, size in enumerate((30_000, 90_000, 250_000)):
        write("www/file%d.bin" % number, rng.randbytes(size))
        write("home/anna/file%d.bin" % number, rng.randbytes(size), 0o644)


def accounts():
    """One user, anna, whose password works, for this mount namespace only."""
    os.makedirs(RUN + "/home/anna/.ssh", exist_ok=True)
    hashed = sh("openssl", "passwd", "-6", PASSWORD).strip()
    for path, line in (("passwd", "anna:x:4242:4242::%s/home/anna:/bin/sh\n" % RUN), ("group", "anna:x:4242:\n"),
                       ("shadow", "anna:%s:19000:0:99999:7:::\n" % hashed)):
        with open("/etc/" + path) as file:
            copy = write(path, file.read() + line)
        sh("mount", "--bind", copy, "/etc/" + path)
    for key in ("host", "user"):
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", RUN + "/" + key)
    shutil.copy(RUN + "/user.pub", RUN + "/home/anna/.ssh/authorized_keys")
    write("askpass", "#!/bin/sh\nhead -c 5 /dev/urandom | od -An -tx1 | tr -d ' '\n", 0o755)
    for folder, _, names in os.walk(RUN + "/home/anna"):
        for path in [folder, *(os.path.join(folder, n) for n in names)]:
            os.chown(path, 4242, 4242)
    os.chmod(RUN + "/home/anna", 0o755)
    sh("mount", "--bind", write("resolv.conf", "nameserver %s\n" % NAMES), os.path.realpath("/etc/resolv.conf"))


NGINX = """user www-data; worker_processes 1; daemon off; pid %(run)s/nginx-%(at)s.pid; error_log stderr crit;
events { worker_connections 2048; }
http { include /etc/nginx/mime.types; access_log off; client_body_temp_path %(run)s/body-%(at)s;
 limit_req_zone $binary_remote_addr zone=search:1m rate=15r/s;
 ssl_certificate %(run)s/tls.pem; ssl_certificate_key %(run)s/tls.key;
 server { listen 80; listen 443 ssl http2; root %(run)s/www;
  location = /search { limit_req zone=search burst=200; try_files /search.html =404; }
  location = /login { if ($request_method = POST) { return 302 /login?failed=1; } try_files /login.html =404; }
  location = /upload { return 204; } } }
"""
APACHE = """LoadModule mpm_event_module %(modules)s/mod_mpm_event.so
LoadModule authz_core_module %(modules)s/mod_authz_core.so
LoadModule dir_module %(modules)s/mod_dir.so
ServerLimit 1
StartServers 1
ThreadsPerChild %(workers)d
MaxRequestWorkers %(workers)d
ListenBacklog %(queue)d
Timeout 300
Listen 80
ServerName small.lab.example
PidFile %(run)s/apache.pid
DefaultRuntimeDir %(run)s
ErrorLog %(run)s/apache.log
DocumentRoot %(run)s/www
User www-data
Group www-data
"""
SSHD = """Port 22
HostKey %(run)s/host
PidFile none
UsePAM yes
PasswordAuthentication %(passwords)s
KbdInteractiveAuthentication no
PrintMotd no
Subsystem sftp internal-sftp
"""
VSFTPD = """listen=YES
listen_ipv6=NO
background=NO
local_enable=YES
anonymous_enable=NO
xferlog_enable=NO
secure_chroot_dir=%(run)s/empty
pam_service_name=vsftpd
seccomp_sandbox=NO
"""
NAMED = """keep-in-foreground
user=root
pid-file=
no-hosts
no-resolv
log-facility=-
"""


def servers(start):
    os.makedirs(RUN + "/empty", mode=0o755, exist_ok=True)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=www.example.com",
       "-keyout", RUN + "/tls.key", "-out", RUN + "/tls.pem")
    for address in (SERVER, KEYS_ONLY, OUT_WEB, OUT_SHOP):
        conf = write("nginx-%s.conf" % address, NGINX % {"run": RUN, "at": address})
        start(address, "nginx", "-e", "stderr", "-c", conf)
    conf = write("apache.conf", APACHE % {
        "run": RUN, "modules": "/usr/lib/apache2/modules", "workers": WORKERS, "queue": QUEUE})
    start(SMALL, "/usr/sbin/apache2", "-DFOREGROUND", "-f", conf)
    for address, passwords in ((SERVER, "yes"), (KEYS_ONLY, "no"), (OUT_SHELL, "yes")):
        conf = write("sshd-%s.conf" % address, SSHD % {"run": RUN, "passwords": passwords})
        start(address, "/usr/sbin/sshd", "-D", "-e", "-f", conf)
    for address in (SERVER, OUT_SHELL):
        start(address, "vsftpd", write("vsftpd.conf", VSFTPD % {"run": RUN}))
    hosts = "".join("address=/%s/%s\n" % pair for pair in (
        ("www.example.com", OUT_WEB), ("shop.example.net", OUT_SHOP), ("shell.example.org", OUT_SHELL)))
    hosts += "".join("address=/n%d.example.org/198.51.100.%d\n" % (n, n) for n in range(100, 160))
    outer = write("names-out.conf", NAMED + hosts + "local=/#/\nmx-host=example.com,www.example.com\n")
    inner = write("names-in.conf", NAMED + "server=%s\naddress=/server.lab.example/%s\n" % (OUT_NAMES, SERVER))
    start(OUT_NAMES, "dnsmasq", "-C", outer)
    start(NAMES, "dnsmasq", "-C", inner)
    clock = write("chrony.conf", "local stratum 3\nallow\ncmdport 0\nbindcmdaddress /\npidfile %s/clock.pid\n" % RUN)
    start(OUT_NAMES, "chronyd", "-d", "-x", "-u", "root", "-f", clock)
