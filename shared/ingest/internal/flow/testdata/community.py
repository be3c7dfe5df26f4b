"""Writes community.tsv: Community IDs of made-up flows.

Python 3.11.2, communityid 1.x (pip install communityid), seed of the
random numbers 7:

    python3 community.py > community.tsv
"""
import random

from importlib.metadata import version

import communityid

r = random.Random(7)
cid = communityid.CommunityID()
print("# communityid", version("communityid"), "2026-11-22: protocol, source, target, port or type, port or code, id")


def line(proto, a, b, x, y):
    tpl = communityid.FlowTuple(proto, a, b, x, y)
    print(proto, a, b, x if x is not None else 0, y if y is not None else 0, cid.calc(tpl), sep="\t")


for v6 in (False, True):
    def address():
        if v6:
            return ":".join("%x" % r.randrange(65536) for _ in range(8))
        return ".".join(str(r.randrange(256)) for _ in range(4))

    for proto in (6, 17, 132):
        for _ in range(6):
            line(proto, address(), address(), r.randrange(65536), r.randrange(65536))
        a = address()
        line(proto, a, a, 7, 5)
    for kind in range(0, 20) if not v6 else range(126, 150):
        line(58 if v6 else 1, address(), address(), kind, r.randrange(4))
    for proto in (2, 47, 50, 89):
        line(proto, address(), address(), None, None)
