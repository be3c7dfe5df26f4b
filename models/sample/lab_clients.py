#!/usr/bin/env python3
"""Clients that lab.py starts in its own network namespaces.

    python3 lab_clients.py NAME SERVER [KEY=NUMBER ...]

Each one stops by itself: after a number of connections or of seconds given on
the command line, with built-in ceilings. They speak only to SERVER, an address
of the lab. ssh_guess needs python3-paramiko, everything else is in the Python
standard library.
"""

import concurrent.futures
import ftplib
import http.client
import random
import socket
import string
import sys
import time

MOST_CONNECTIONS = 300
MOST_SECONDS = 150
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/118.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:118.0) Gecko/20100101 Firefox/118.0",
    "Opera/9.80 (Windows NT 6.1; U; en) Presto/2.7.62 Version/11.01",
)


def word(rng, low=3, high=9):
    return "".join(rng.choice(string.ascii_letters) for _ in range(rng.randint(low, high)))


def in_threads(count, threads, job):
    """job(number) for each number below count, at most threads at a time."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(job, range(min(count, MOST_CONNECTIONS))))


def slow_headers(server, rng, connections=60, seconds=75):
    """Request heads that never end, one line every 10 to 20 s."""
    end = time.monotonic() + min(seconds, MOST_SECONDS)

    def hold(number):
        mine = random.Random(rng.random() + number)
        time.sleep(number * 0.002)
        while time.monotonic() < end - 2:
            try:
                with socket.create_connection((server, 80), 10) as sock:
                    sock.sendall((
                        "GET /?%d HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nContent-Length: 42\r\n"
                        % (mine.randrange(10**13), server, mine.choice(AGENTS))).encode())
                    while time.monotonic() < end:
                        sock.settimeout(max(0.1, min(mine.uniform(10, 20), end - time.monotonic())))
                        try:
                            if not sock.recv(512):
                                break
                        except socket.timeout:
                            if time.monotonic() < end:
                                sock.sendall(("X-%s: %s\r\n" % (word(mine, 1, 2), word(mine, 1, 4))).encode())
            except OSError:
                pass
            time.sleep(mine.uniform(5, 15))

    in_threads(connections, connections, hold)


def request(conn, server, rng):
    """One GET of the search page that no cache can answer."""
    conn.request("GET", "/search?%s=%s" % (word(rng), word(rng)), headers={
        "User-Agent": rng.choice(AGENTS), "Cache-Control": "no-cache",
        "Accept-Charset": "ISO-8859-1,utf-8;q=0.7,*;q=0.7",
        "Referer": "http://%s/?q=%s" % (server, word(rng, 5, 10)),
        "Keep-Alive": str(rng.randint(110, 120)), "Connection": "keep-alive"})


def burst_kept_alive(server, rng, connections=60, seconds=80):
    """Connections that ask for one search after the other without a pause."""
    end = time.monotonic() + min(seconds, MOST_SECONDS)

    def flood(number):
        mine = random.Random(rng.random() + number)
        time.sleep(mine.uniform(0, 8))
        conn = http.client.HTTPConnection(server, 80, timeout=30)
        last = end - mine.uniform(0, seconds / 2)
        try:
            while time.monotonic() < last:
                request(conn, server, mine)
                conn.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        conn.close()

    in_threads(connections, connections, flood)


def burst_many_sockets(server, rng, connections=180, workers=6, sockets=10):
    """Rounds of: open sockets, one search on each, take the answers, close all."""

    def worker(number):
        mine = random.Random(rng.random() + number)
        for _ in range(min(connections, MOST_CONNECTIONS) // (workers * sockets)):
            conns = []
            try:
                for _ in range(sockets):
                    conns.append(http.client.HTTPConnection(server, 80, timeout=30))
                    request(conns[-1], server, mine)
                for conn in conns:
                    conn.getresponse()
            except (OSError, http.client.HTTPException):
                pass
            for conn in conns:
                conn.close()

    in_threads(workers, workers, worker)


def ssh_guess(server, rng, connections=60, threads=3, attempts=1):
    """Wrong passwords, attempts of them on each connection."""
    import logging

    import paramiko
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    words = [[word(rng) for _ in range(attempts)] for _ in range(connections)]

    def connect(number):
        try:
            transport = paramiko.Transport(socket.create_connection((server, 22), 10))
        except OSError:
            return
        try:
            transport.start_client(timeout=20)
            for guess in words[number]:
                try:
                    transport.auth_password("root", guess, fallback=False)
                except paramiko.AuthenticationException:  # also where only keys are taken
                    continue
        except (paramiko.SSHException, OSError, EOFError):
            pass
        transport.close()

    in_threads(connections, threads, connect)


def ftp_guess(server, rng, connections=30, threads=3, attempts=3):
    """Wrong passwords, attempts of them on each connection."""
    words = [[word(rng) for _ in range(attempts)] for _ in range(connections)]

    def connect(number):
        try:
            with ftplib.FTP(timeout=20) as ftp:
                ftp.connect(server, 21)
                for guess in words[number]:
                    try:
                        ftp.login("anna", guess)
                    except ftplib.error_perm:
                        continue
        except (OSError, EOFError, ftplib.Error):
            pass

    in_threads(connections, threads, connect)


def sweep(server, rng, connections=70):
    """One connection to each of some ports below 1024 and a few above."""
    ports = sorted(rng.sample(range(1, 1024), connections - 6)) + [3306, 3389, 5432, 5900, 8080, 8443]
    rng.shuffle(ports)
    for port in ports[:MOST_CONNECTIONS]:
        with socket.socket() as sock:
            sock.settimeout(1)
            sock.connect_ex((server, port))
        time.sleep(rng.uniform(0.01, 0.15))


def main():
    clients = (slow_headers, burst_kept_alive, burst_many_sockets, ssh_guess, ftp_guess, sweep)
    numbers = {key: int(value) for key, value in (a.split("=") for a in sys.argv[3:])}
    rng = random.Random(numbers.pop("seed", 1))
    {c.__name__: c for c in clients}[sys.argv[1]](sys.argv[2], rng, **numbers)


if __name__ == "__main__":
    main()
