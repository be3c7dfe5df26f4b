"""Checks the golden files with the libraries of those who own the formats.

    pip install stix2==3.0.2 mitreattack-python==6.3.1 && python validate.py

Last passed 2026-11-22, Python 3.11.7.
"""
import json
import pathlib
import re

import stix2
from mitreattack.navlayers import Layer

here = pathlib.Path(__file__).parent
bundle = stix2.parse((here / "bundle.json").read_text(), allow_custom=False)
print("STIX 2.1:", len(bundle.objects), "objects, strict")
for o in bundle.objects:  # ids of observables follow from what they say
    if o.type in ("ipv4-addr", "ipv6-addr"):
        again = {"ipv4-addr": stix2.v21.IPv4Address, "ipv6-addr": stix2.v21.IPv6Address}[o.type](value=o.value)
        assert again.id == o.id, (o.id, again.id)
    if o.type == "network-traffic":
        fields = {k: o[k] for k in ("src_ref", "dst_ref", "dst_port", "protocols") if k in o}
        assert stix2.v21.NetworkTraffic(**fields).id == o.id, o.id

layer = Layer(strict=True)
layer.from_file(str(here / "layer.json"))
written = layer.to_dict()
assert len(written["techniques"]) == 3 and written["versions"]["layer"] == "4.5"
print("Navigator 4.5:", len(written["techniques"]), "techniques, strict")

name = re.compile(r"^[@a-z_]+$")
for line in (here / "ecs.ndjson").read_text().splitlines():
    assert all(name.match(k) for k in json.loads(line))
print("ECS: names in lower case")
