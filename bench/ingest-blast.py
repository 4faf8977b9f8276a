"""
A sender of bench/ingest.ts that hands the kernel many packets in one call and lets it cut them apart (UDP_SEGMENT),
which Node cannot: python3 bench/ingest-blast.py LOAD, where LOAD is the JSON of ingest-load.ts. Tells as JSON how many packets the kernel took.
"""
import json
import socket
import sys
import time

load = json.loads(sys.argv[1])
lines_per_packet, series_count = load["linesPerPacket"], load["seriesCount"]
# From linux/udp.h.
SOL_UDP, UDP_SEGMENT = 17, 103


def line(i):
    value = 1 if load["type"] == "c" else (i * 7) % 300
    return f"bench.process{i % 97}.response.s{i}:{value}|{load['type']}"


def packet(n):
    first = n * lines_per_packet
    return "\n".join(line((first + k) % series_count) for k in range(lines_per_packet)).encode()


packets = [packet(n) for n in range(-(-series_count // lines_per_packet))]
count = len(packets)
# Segments of one size: shorter packets end with empty lines.
size = max(len(one) for one in packets)
at_once = max(1, min(64, 60_000 // size))
# The beginning once more behind the end, so that a batch may begin anywhere in the round.
whole = memoryview(b"".join(packets[n % count].ljust(size, b"\n") for n in range(count + at_once)))



def opened():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024**2)
    one.setsockopt(SOL_UDP, UDP_SEGMENT, size)
    one.connect((load["host"], load["port"]))
    return one


# Several, which the receiver's kernel spreads over all sockets of its port.
senders = [opened() for _ in range(32)]
turn = 0
pace = load["packetsPerSecond"]
sent = failed = 0
start = time.perf_counter()
end = start + load["seconds"]
while True:
    now = time.perf_counter()
    if now >= end:
        break
    due = at_once if pace == 0 else min(at_once, int((now - start) * pace) - sent)
    if due <= 0:
        continue
    first = sent % count * size
    try:
        senders[turn % len(senders)].send(whole[first : first + due * size])
        turn += 1
        sent += due
    except OSError:
        failed += 1
print(json.dumps({"sent": sent, "failed": failed, "elapsedMs": (time.perf_counter() - start) * 1000}))
